package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pona-realtime/pona/pkg/player"
	"github.com/pona-realtime/pona/pkg/settings"
	edge "github.com/pona-realtime/pona/services/edge/app"
	"github.com/pona-realtime/pona/services/edge/auth"
	"github.com/pona-realtime/pona/services/edge/gateway"
)

// refusals are where programs have the texts with which they refuse: in calls of these names, in the results of these
// functions, in these constants and variables, and as the Message of a ConnectError.
var refusals = []struct {
	files                 string
	calls, results, named []string
}{
	{"services/edge/gateway/*.go", []string{"refused", "end"}, []string{"reason", "arguments"}, []string{"expired", "flooding"}},
	{"services/fanout/commands/answer.go", []string{"refusal"}, nil, nil},
	{"pkg/engineio/refuse.go", nil, nil, []string{"codeMessages"}},
	{"pkg/socketio/adminui/auth.go", nil, nil, nil},
}

// TestRefusalsPage holds docs/client.md to the texts with which clients and commands are refused.
func TestRefusalsPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/client.md")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for line := range strings.Lines(string(page)) { // a fence is no span
		told = append(told, spans(line)...)
	}
	texts := []string{
		auth.ErrTokenRequired.Error(), auth.ErrUnauthorized.Error(), auth.ErrInvalidGuild.Error(), auth.ErrNotMember.Error(),
		player.ErrEncoding.Error(), gateway.Unavailable(0).Message, gateway.TooMany(0).Message,
		"Invalid namespace", "internal server error", // package socketio's
	}
	for _, r := range refusals {
		files, err := filepath.Glob("../../" + r.files)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			some := refusalsIn(t, file, r.calls, r.results, r.named)
			found += len(some)
			texts = append(texts, some...)
		}
		if found == 0 {
			t.Errorf("%s: no refusal is found", r.files)
		}
	}
	for _, text := range texts {
		if text == "Forbidden" {
			continue // an edge forbids nobody: origins are the browser's affair, credentials the namespace's
		}
		shown := regexp.MustCompile(`^(.*"message":")?` + strings.ReplaceAll(regexp.QuoteMeta(text), "%d", `\d+`) + `("[^"]*)?$`)
		if !slices.ContainsFunc(told, shown.MatchString) {
			t.Errorf("the page does not tell of %q", text)
		}
	}
	if len(texts) < 30 {
		t.Errorf("found only %q", texts)
	}
}

// refusalsIn are the texts that stand in these places of a file.
func refusalsIn(t *testing.T, file string, calls, results, named []string) (texts []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	take := func(n ast.Node) {
		ast.Inspect(n, func(n ast.Node) bool {
			if literal, is := n.(*ast.BasicLit); is && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil && text != "" {
					texts = append(texts, text)
				}
			}
			return true
		})
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if name, is := n.Fun.(*ast.Ident); is && slices.Contains(calls, name.Name) {
				take(n)
			} else if method, is := n.Fun.(*ast.SelectorExpr); is && slices.Contains(calls, method.Sel.Name) {
				take(n)
			}
		case *ast.FuncDecl:
			if slices.Contains(results, n.Name.Name) {
				ast.Inspect(n, func(n ast.Node) bool {
					if result, is := n.(*ast.ReturnStmt); is {
						take(result)
					}
					return true
				})
			}
		case *ast.ValueSpec:
			if slices.Contains(named, n.Names[0].Name) {
				take(n)
			}
		case *ast.KeyValueExpr:
			if key, is := n.Key.(*ast.Ident); is && key.Name == "Message" {
				take(n.Value)
			}
		}
		return true
	})
	return texts
}

// TestAdmissionPage holds the bounds that docs/security.md names, and their defaults, to the edge's settings.
func TestAdmissionPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, row, found := strings.Cut(string(page), "\n| many connections | ")
	if !found {
		t.Fatal("there is no row about many connections")
	}
	row, _, _ = strings.Cut(row, "\n")
	all, err := settings.List(edge.Program, &edge.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	for _, m := range regexp.MustCompile("`--([a-z-]+)` \\(([^),]+)").FindAllStringSubmatch(row, -1) {
		told[m[1]] = m[2]
	}
	for _, name := range []string{"connect-rate", "address-rate", "trusted-proxy", "user-sockets", "guild-rate", "guild-sockets", "max-sessions", "connect-timeout"} {
		i := slices.IndexFunc(all, func(s settings.Setting) bool { return s.Name == name })
		is := all[i].Default
		if is == "" || is == "0" {
			is = "none"
		}
		if told[name] != is {
			t.Errorf("--%s is %s by default, not %q", name, is, told[name])
		}
	}
}
