// Package web is the player page: plain HTML, CSS and modules, and the official Socket.IO client
// beside them. All of it is embedded, so that the binary works from anywhere.
package web

import (
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
)

// Config is what the page is told about the stack it runs on, as /config.json.
type Config struct {
	Auth   string  `json:"auth"` // "discord", or "insecure-dev" when the page may make up a user
	Guilds []Guild `json:"guilds"`
}

// Guild is one that the page offers to open.
type Guild struct {
	ID      string `json:"id"` // Discord snowflake, digits
	Name    string `json:"name"`
	Channel string `json:"channel"` // id of a voice channel that the bot can be joined to
}

const clientFile = "dist/socket.io.esm.min.js"

var (
	//go:embed page
	pageFiles embed.FS

	// The client is there after npm run build; before that there is a placeholder.
	//go:embed dist
	distFiles embed.FS
)

// policy lets the page load nothing from elsewhere but a bot's artwork.
const policy = "default-src 'self'; img-src 'self' data: https:; connect-src 'self' ws: wss:; base-uri 'none'; frame-ancestors 'none'"

// Handler serves the page under /. It answers 503 when the client was not built into this binary.
func Handler(c Config) (http.Handler, error) {
	config, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	page, err := fs.Sub(pageFiles, "page")
	if err != nil {
		return nil, err
	}
	client, err := distFiles.ReadFile(clientFile)
	if err != nil {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "The player page is not part of this binary; make build puts it in.", http.StatusServiceUnavailable)
		}), nil
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /config.json", content("application/json", config))
	mux.HandleFunc("GET /socket.io.esm.min.js", content("text/javascript; charset=utf-8", client))
	mux.Handle("GET /", http.FileServerFS(page))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-cache")
		mux.ServeHTTP(w, r)
	}), nil
}

func content(mediaType string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		_, _ = w.Write(body) // the browser is gone when this fails
	}
}
