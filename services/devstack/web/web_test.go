package web

import (
	"encoding/json"
	"io"
	"io/fs"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// get answers a path with the status, the media type and the body.
func get(t *testing.T, c Config, path string) (int, string, string) {
	t.Helper()
	h, err := Handler(c)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRecorder()
	h.ServeHTTP(r, httptest.NewRequest("GET", path, nil))
	body, err := io.ReadAll(r.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.Code, r.Header().Get("Content-Type"), string(body)
}

func needClient(t *testing.T) {
	if _, err := fs.Stat(distFiles, clientFile); err != nil {
		t.Skip("the Socket.IO client is not built in; make build puts it there")
	}
}

func TestWithoutClientThePageSaysSo(t *testing.T) {
	if _, err := fs.Stat(distFiles, clientFile); err == nil {
		t.Skip("the Socket.IO client is built in")
	}
	if code, _, body := get(t, Config{}, "/"); code != 503 || !strings.Contains(body, "make build") {
		t.Errorf("%d %q", code, body)
	}
}

func TestConfig(t *testing.T) {
	needClient(t)
	want := Config{Auth: "insecure-dev", Guilds: []Guild{{ID: "1", Name: "<One> & more", Channel: "2"}}}
	code, mediaType, body := get(t, want, "/config.json")
	var got Config
	if err := json.Unmarshal([]byte(body), &got); err != nil || code != 200 || mediaType != "application/json" {
		t.Fatalf("%d %s %q: %v", code, mediaType, body, err)
	}
	if len(got.Guilds) != 1 || got.Guilds[0] != want.Guilds[0] || got.Auth != want.Auth {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// Everything that the page and its modules name must be there: a typing error would be a blank page.
func TestEveryReferenceIsServed(t *testing.T) {
	needClient(t)
	references := map[string]*regexp.Regexp{
		".html": regexp.MustCompile(`(?:href|src)="([^"#.][^"#]*\.[a-z]+)"`),
		".js":   regexp.MustCompile(`(?m)^import .* from "\./([^"]+)"`),
	}
	checked := 0
	err := fs.WalkDir(pageFiles, "page", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(pageFiles, path)
		if err != nil {
			return err
		}
		dir := strings.TrimPrefix(path[:strings.LastIndex(path, "/")], "page")
		for suffix, reference := range references {
			if !strings.HasSuffix(path, suffix) {
				continue
			}
			for _, m := range reference.FindAllStringSubmatch(string(text), -1) {
				checked++
				if code, mediaType, _ := get(t, Config{}, dir+"/"+m[1]); code != 200 {
					t.Errorf("%s names %s: %d", path, m[1], code)
				} else if strings.HasSuffix(m[1], ".js") && !strings.HasPrefix(mediaType, "text/javascript") {
					t.Errorf("%s is served as %s, which no browser runs", m[1], mediaType)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked < 15 {
		t.Errorf("%d references found, the expressions are wrong", checked)
	}
}

// The page's own logic, by its own language's means.
func TestStateInNode(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	out, err := exec.CommandContext(t.Context(), node, "--test", "state.test.js").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
