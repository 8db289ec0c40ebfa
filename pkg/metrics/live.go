package metrics

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed live
var liveFiles embed.FS

// livePage is GET /live/: the summary as pictures that move, for those without Grafana.
func livePage() http.Handler {
	files, err := fs.Sub(liveFiles, "live")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	page := http.StripPrefix("/live/", http.FileServerFS(files))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		page.ServeHTTP(w, r)
	})
}
