package auth

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

func TestCredentialFrom(t *testing.T) {
	for _, test := range []struct {
		name, header, payload, want string
	}{
		{"neither", "", `{}`, ""},
		{"no payload", "", ``, ""},
		{"header", "Bearer abc", `{}`, "Bearer abc"},
		{"payload", "", `{"type":"Bearer","key":"abc"}`, "Bearer abc"},
		{"header wins, even a bad one", "nonsense", `{"type":"Bearer","key":"abc"}`, "nonsense"},
		{"an empty key is none", "", `{"type":"Bearer","key":""}`, ""},
		{"an empty type is none", "", `{"type":"","key":"abc"}`, ""},
		{"a key alone is none", "", `{"key":"abc"}`, ""},
		{"numbers are none", "", `{"type":"Bearer","key":7}`, ""},
		{"no object is none", "", `["Bearer","abc"]`, ""},
		{"null is none", "", `null`, ""},
		{"no JSON is none", "", `{"type":"Bearer","key":"abc"`, ""},
	} {
		header := http.Header{}
		if test.header != "" {
			header.Set("Authorization", test.header)
		}
		got := CredentialFrom(header, []byte(test.payload))
		if got.header != test.want || got.IsZero() != (test.want == "") {
			t.Errorf("%s: %q", test.name, got.header)
		}
	}
}

func TestCredentialIsNotPrinted(t *testing.T) {
	c := bearer("hunter2")
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("joined", "credential", c, "in", struct{ C Credential }{c})
	if all := fmt.Sprintf("%v %+v %#v %s", c, c, c, c) + log.String(); strings.Contains(all, "hunter2") {
		t.Error(all)
	}
}
