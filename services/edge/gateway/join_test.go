package gateway

import (
	"math"
	"strconv"
	"testing"
)

func TestGuildOf(t *testing.T) {
	for namespace, want := range map[string]uint64{
		"/guild/1":                                1,
		"/guild/100000000000000001":               100000000000000001,
		"/guild/18446744073709551615":             math.MaxUint64,
		"/guild/18446744073709551616":             0,
		"/guild/99999999999999999999999999999999": 0,
		"/guild/0":                                0,
		"/guild/00":                               0,
		"/guild/01":                               0,
	} {
		if !guildNamespace.MatchString(namespace) {
			t.Errorf("%s is no guild's namespace", namespace)
		}
		if got := guildOf(namespace); got != want {
			t.Errorf("%s: %d, want %d", namespace, got, want)
		}
	}
	for _, namespace := range []string{"/", "/guild/", "/guild/1x", "/guild/-1", "/guild/1/", "/guilds/1", "x/guild/1", "/guild/１", "/guild/1\n"} {
		if guildNamespace.MatchString(namespace) {
			t.Errorf("%q is a guild's namespace", namespace)
		}
	}
}

func FuzzGuildOf(f *testing.F) {
	f.Add("1")
	f.Add("18446744073709551616")
	f.Add("007")
	f.Fuzz(func(t *testing.T, digits string) {
		namespace := guildPrefix + digits
		if !guildNamespace.MatchString(namespace) {
			return
		}
		guildID := guildOf(namespace)
		if written, err := strconv.ParseUint(digits, 10, 64); guildID != 0 && (err != nil || written != guildID) {
			t.Errorf("%s: %d", namespace, guildID)
		}
		if guildID != 0 && namespaceOf(guildID) != namespace {
			t.Errorf("%s is not %s: events would not reach it", namespaceOf(guildID), namespace)
		}
	})
}
