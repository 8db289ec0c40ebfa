package report

import (
	_ "embed"
	"encoding/json"
	"html/template"
	"io"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"overview": (*Report).overview,
	"people":   forPeople,
	"plots":    (*Result).plots,
	"short":    short,
	"json": func(r *Report) (string, error) {
		text, err := json.MarshalIndent(r, "", "  ")
		return string(text), err
	},
}).Parse(pageText))

// WriteHTML writes one file that needs no other.
func (r *Report) WriteHTML(w io.Writer) error { return page.Execute(w, r) }

// WriteJSON writes the report for scripts.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
