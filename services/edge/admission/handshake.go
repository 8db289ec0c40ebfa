package admission

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// Handshakes lets what begins a session through to next as far as the rates allow. What is refused gets
// 503 with Retry-After, and {"message":"too many connections","retryAfterMs":n}; stock clients try
// again by themselves. Requests of sessions that are there pass.
func (a *Admission) Handshakes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var refusal *Refusal
		if r.Method == http.MethodGet && r.URL.Query().Get("sid") == "" && errors.As(a.begin(r), &refusal) {
			refuse(w, refusal)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (a *Admission) begin(r *http.Request) error {
	if a.addresses != nil {
		if address := a.ClientOf(r); address.IsValid() {
			own, _ := a.addresses.ComputeIfAbsent(address, func() (*rate.Limiter, bool) { return limiter(a.options.AddressRate), false })
			if !own.Allow() {
				return a.refuse("address", time.Second)
			}
		}
	}
	if a.rate != nil && !a.rate.Allow() {
		return a.refuse("rate", time.Second)
	}
	return nil
}

func refuse(w http.ResponseWriter, refusal *Refusal) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Connection", "close") // the next attempt may find another edge
	h.Set("Retry-After", strconv.Itoa(int(math.Ceil(refusal.RetryAfter.Seconds()))))
	w.WriteHeader(http.StatusServiceUnavailable)
	_ = json.NewEncoder(w).Encode(struct { // who has gone needs no answer
		Message      string `json:"message"`
		RetryAfterMs int64  `json:"retryAfterMs"`
	}{"too many connections", refusal.RetryAfter.Milliseconds()})
}

// ClientOf is the address that a request began at: the last one of X-Forwarded-For that is no proxy's, as
// far as proxies have written it, else the peer's.
func (a *Admission) ClientOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	address := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !a.isProxy(address) {
			break
		}
		before, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		address = before.Unmap()
	}
	return address
}

func (a *Admission) isProxy(address netip.Addr) bool {
	return slices.ContainsFunc(a.options.Proxies, func(p netip.Prefix) bool { return p.Contains(address) })
}
