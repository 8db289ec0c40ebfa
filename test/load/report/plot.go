package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/go-analyze/charts"
)

// plot is a chart with what it shows.
type plot struct {
	Title string
	SVG   template.HTML
}

// line is one of a chart's.
type line struct {
	name   string
	values []float64
}

// newPlot draws lines over labels, of which each has as many as it has values; across and unit stand at the axes.
func newPlot(title, across, unit string, labels []string, lines ...line) (plot, error) {
	var values [][]float64
	var names []string
	for _, l := range lines {
		values, names = append(values, l.values), append(names, forPeople(l.name))
	}
	least, step, steps := scale(slices.Concat(values...))
	o := charts.NewLineChartOptionWithData(values)
	if o.XAxis.LabelCount = len(labels); len(labels) > maxLabels {
		o.XAxis.LabelCount = maxLabels - 3 // they are longer
		labels[len(labels)-1] = ""         // it would stand upon the one before
	}
	o.XAxis.Labels, o.XAxis.Title = labels, across
	o.YAxis = []charts.YAxisOption{{
		Title: unit, Min: charts.Ptr(least), Max: charts.Ptr(least + step*float64(steps)), LabelCount: steps + 1,
		RangeValuePaddingScale: charts.Ptr(0.0), ValueFormatter: func(v float64) string { return tick(v, step) },
	}}
	o.Legend = charts.LegendOption{SeriesNames: names, Show: charts.Ptr(len(names) > 1)}
	o.Symbol.Shape = charts.SymbolNone
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: 540, Height: 260})
	if err := p.LineChart(o); err != nil {
		return plot{}, fmt.Errorf("plot %s: %w", title, err)
	}
	svg, err := p.Bytes()
	return plot{title, template.HTML(svg)}, err // names and labels are this program's own
}

// maxLabels is how many stand below a chart, all where there are no more.
const maxLabels = 12

// maxSteps is how many parts an axis has at most.
const maxSteps = 6

// scale is an axis around values, from least in steps of 1, 2 or 5 times a power of ten; of whole ones in whole steps. It begins at
// 0 unless the values would then lie together in its upper half.
func scale(values []float64) (least, step float64, steps int) {
	low, high := slices.Min(values), slices.Max(values)
	if low >= 0 && low < high/2 || low == high && low >= 0 {
		low = 0
	}
	whole := !slices.ContainsFunc(values, func(v float64) bool { return v != math.Trunc(v) })
	for power := math.Floor(math.Log10(max(high-low, 1e-3) / maxSteps)); ; power++ {
		for _, digit := range []float64{1, 2, 5} {
			step = digit * math.Pow(10, power)
			least = math.Floor(low/step) * step
			steps = max(int(math.Ceil((high-least)/step-1e-9)), 1)
			if steps <= maxSteps && (!whole || step >= 1) {
				return least, step, steps
			}
		}
	}
}

// tick is a value on an axis of such steps.
func tick(v, step float64) string {
	if step >= 1 {
		return Figure{Value: math.Round(v)}.Text()
	}
	return strconv.FormatFloat(v, 'f', int(math.Ceil(-math.Log10(step)-1e-9)), 64)
}

// plots are a result's.
func (r *Result) plots() ([]plot, error) {
	var all []plot
	if len(r.Distributions) > 0 {
		var labels []string
		var lines []line
		for _, p := range r.Distributions[0].Points {
			labels = append(labels, strconv.FormatFloat(p.Percentile, 'g', -1, 64))
		}
		for _, d := range r.Distributions {
			l := line{name: d.Name}
			for _, p := range d.Points {
				l.values = append(l.values, p.Ms)
			}
			lines = append(lines, l)
		}
		one, err := newPlot("times, by percentile", "percentile", "ms", labels, lines...)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	for _, s := range r.Series {
		if len(s.Values) < 3 {
			continue // before and after the run: nobody is there
		}
		labels := make([]string, len(s.Values))
		for i := range labels {
			labels[i] = strconv.FormatFloat(float64(i)*s.Step, 'g', -1, 64)
		}
		one, err := newPlot(forPeople(s.Name)+", "+s.every(), "s", s.Unit, labels, line{s.Name, s.Values})
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// every says how often a value was taken.
func (s Series) every() string {
	if s.Step == 1 {
		return "by second"
	}
	return fmt.Sprintf("every %g s", s.Step)
}

// forPeople is a name as it stands in a text.
func forPeople(name string) string { return strings.ReplaceAll(name, "_", " ") }
