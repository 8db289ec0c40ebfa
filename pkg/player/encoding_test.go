package player_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"testing"

	"github.com/pona-realtime/pona/pkg/player"
)

func TestEncodingOf(t *testing.T) {
	for payload, want := range map[string]player.Encoding{
		`{}`: player.Base64, `{"type":"Bearer","key":"k"}`: player.Base64, `{"encoding":null}`: player.Base64, `{"encoding":"base64"}`: player.Base64,
		`{"encoding":"json"}`: player.JSON, `{"key":"k", "encoding" : "binary"}`: player.Binary, `{"encoding":"json","encoding":"binary"}`: player.Binary,
		`{"nested":{"encoding":"json"}}`: player.Base64,
	} {
		if got, err := player.EncodingOf([]byte(payload)); err != nil || got != want {
			t.Errorf("%s: %v, %v", payload, got, err)
		}
	}
	for _, payload := range []string{`{"encoding":"JSON"}`, `{"encoding":""}`, `{"encoding":1}`, `{"encoding":["json"]}`, `{"encoding":"msgpack"}`, `{"encoding":false}`} {
		if got, err := player.EncodingOf([]byte(payload)); !errors.Is(err, player.ErrEncoding) {
			t.Errorf("%s: %v, %v", payload, got, err)
		}
	}
}

func TestArgumentsInEachEncoding(t *testing.T) {
	emit := player.Emit{Args: []player.Arg{{JSON: []byte(liveTrack), Encoded: true}, {JSON: []byte("1.50")}}}
	for encoding, want := range map[player.Encoding]string{player.Base64: `"` + base64.StdEncoding.EncodeToString([]byte(liveTrack)) + `"`, player.JSON: liveTrack} {
		args := emit.ArgsIn(encoding)
		if got, ok := args[0].(json.RawMessage); !ok || string(got) != want {
			t.Errorf("%d: %T %s", encoding, args[0], args[0])
		}
		if got, ok := args[1].(json.RawMessage); !ok || string(got) != "1.50" {
			t.Errorf("%d: %T %s", encoding, args[1], args[1])
		}
	}
	args := emit.ArgsIn(player.Binary)
	if got, ok := args[0].([]byte); !ok || string(got) != liveTrack {
		t.Errorf("binary: %T %s", args[0], args[0])
	}
	if got, ok := args[1].(json.RawMessage); !ok || string(got) != "1.50" {
		t.Errorf("binary: %T %s", args[1], args[1])
	}
}
