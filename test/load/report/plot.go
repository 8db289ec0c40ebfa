package report

import (
	"fmt"
	"html/template"
	"strconv"

	"github.com/go-analyze/charts"
)

// plot is a chart with what it shows.
type plot struct {
	Title string
	SVG   template.HTML
}

// newPlot draws lines; labels stand below their points, of which each line has as many.
func newPlot(title string, labels []string, lines [][]float64, names []string) (plot, error) {
	o := charts.NewLineChartOptionWithData(lines)
	o.XAxis.Labels = labels
	o.Legend = charts.LegendOption{SeriesNames: names, Show: charts.Ptr(len(names) > 1)}
	o.Symbol.Shape = charts.SymbolNone
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: 540, Height: 260})
	if err := p.LineChart(o); err != nil {
		return plot{}, fmt.Errorf("plot %s: %w", title, err)
	}
	svg, err := p.Bytes()
	return plot{title, template.HTML(svg)}, err // names and labels are this program's own
}

// plots are a result's.
func (r *Result) plots() ([]plot, error) {
	var all []plot
	if len(r.Distributions) > 0 {
		var labels, names []string
		var lines [][]float64
		for _, p := range r.Distributions[0].Points {
			labels = append(labels, "p"+strconv.FormatFloat(p.Percentile, 'g', -1, 64))
		}
		for _, d := range r.Distributions {
			names = append(names, d.Name)
			line := make([]float64, len(d.Points))
			for i, p := range d.Points {
				line[i] = p.Ms
			}
			lines = append(lines, line)
		}
		one, err := newPlot("ms, by percentile", labels, lines, names)
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
			labels[i] = strconv.Itoa(i*max(s.Step, 1)) + " s"
		}
		one, err := newPlot(s.Name+", by second", labels, [][]float64{s.Values}, []string{s.Name})
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}
