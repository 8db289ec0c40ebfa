package check

import (
	"os"
	"slices"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// TestTheBalancerKnowsNoSessions reads the Caddyfile with Caddy's parser: each request may go to each edge that is ready. What
// directives mean it does not know; the modules that do are six hundred packages.
func TestTheBalancerKnowsNoSessions(t *testing.T) {
	text, err := os.ReadFile("../compose/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	if string(caddyfile.Format(text)) != string(text) {
		t.Error("caddy fmt would change it")
	}
	blocks, err := caddyfile.Parse("Caddyfile", text)
	if err != nil {
		t.Fatal(err)
	}
	last := blocks[len(blocks)-1]
	if len(last.Keys) != 1 || last.Keys[0].Text != ":8080" {
		t.Errorf("listens on %v", last.Keys)
	}
	var site []directive
	for _, s := range last.Segments {
		d := caddyfile.NewDispenser(s)
		d.Next()
		site = append(site, take(d))
	}
	find(t, site, "@edge", "path", "/socket.io/*", "/v1/socket")
	proxy := find(t, find(t, site, "handle", "@edge").block, "reverse_proxy")
	for option, want := range map[string]string{"lb_policy": "round_robin", "health_uri": "/v1/socket"} {
		if has := find(t, proxy.block, option).words[1:]; !slices.Equal(has, []string{want}) {
			t.Errorf("%s is %q, want %s", option, has, want)
		}
	}

	var edges []string
	for _, s := range compose(t).Services {
		if listen := s.Environment["PONA_EDGE_LISTEN"]; listen != nil {
			edges = append(edges, *listen)
		}
	}
	slices.Sort(edges)
	if upstreams := proxy.words[1:]; !slices.Equal(slices.Sorted(slices.Values(upstreams)), edges) {
		t.Errorf("requests go to %q, and edges listen on %q", upstreams, edges)
	}
}

// directive is one of a Caddyfile, with those in its braces.
type directive struct {
	words []string
	block []directive
}

// take reads the directive that d stands at.
func take(d *caddyfile.Dispenser) directive {
	one := directive{words: append([]string{d.Val()}, d.RemainingArgs()...)}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		one.block = append(one.block, take(d))
	}
	return one
}

// find returns the only directive that begins with words.
func find(t *testing.T, all []directive, words ...string) directive {
	t.Helper()
	var found []directive
	for _, one := range all {
		if len(one.words) >= len(words) && slices.Equal(one.words[:len(words)], words) {
			found = append(found, one)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%q is there %d times", words, len(found))
	}
	return found[0]
}
