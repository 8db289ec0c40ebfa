package check

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

// units are those of Grafana that say what a query gives, by dimension.
var units = map[string][]string{
	"number": {"short"}, "bytes": {"bytes"}, "seconds": {"s"}, "ratio": {"short", "percentunit"},
	"number/s": {"ops", "mps", "eps"}, "bytes/s": {"Bps"}, "seconds/s": {"percentunit"},
}

// dimension is what a query counts or measures, as the names of its metrics say.
func dimension(t *testing.T, e parser.Expr) string {
	t.Helper()
	switch e := e.(type) {
	case *parser.ParenExpr:
		return dimension(t, e.Expr)
	case *parser.AggregateExpr:
		if e.Op == parser.COUNT {
			return "number"
		}
		return dimension(t, e.Expr)
	case *parser.BinaryExpr:
		if e.Op == parser.DIV {
			return "ratio"
		}
		return dimension(t, e.LHS)
	case *parser.Call:
		switch e.Func.Name {
		case "rate":
			return dimension(t, e.Args[0]) + "/s"
		case "increase":
			return dimension(t, e.Args[0])
		case "histogram_quantile":
			return strings.TrimSuffix(dimension(t, e.Args[1]), "/s")
		}
	case *parser.MatrixSelector:
		return dimension(t, e.VectorSelector)
	case *parser.VectorSelector:
		name := strings.TrimSuffix(strings.TrimSuffix(e.Name, "_bucket"), "_total")
		for _, of := range []string{"bytes", "seconds"} {
			if strings.HasSuffix(name, "_"+of) {
				return of
			}
		}
		return "number"
	}
	t.Fatalf("%s: this test does not know what that is", e)
	return ""
}

// fits expects all queries of a panel to give what its unit says: different things on one axis cannot be compared.
func fits(t *testing.T, where, unit string, queries []string) {
	t.Helper()
	for _, query := range queries {
		parsed, err := parser.NewParser(parser.Options{}).ParseExpr(query)
		if err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
		if is := dimension(t, parsed); !slices.Contains(units[is], unit) {
			t.Errorf("%s: %s gives %s, and its unit is %q", where, query, is, unit)
		}
	}
}
