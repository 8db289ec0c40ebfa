package gateway

import (
	"encoding/json"
	"time"

	"github.com/pona-realtime/pona/services/edge/seal"
)

// ticketAge is how old a ticket may be: no connection lasts longer without a new one.
const ticketAge = 7 * 24 * time.Hour

// ticket is what a client carries so that any edge can take it back. Its rooms follow from the user, how
// its events are encoded from what it says at each CONNECT.
type ticket struct {
	Socket   string `json:"sid"`
	User     uint64 `json:"user"`
	Sequence uint64 `json:"seq"` // of the guild's last event when the ticket was issued
	Issued   int64  `json:"iat"` // seconds since 1970 UTC
}

// issue seals a ticket for one namespace.
func (t ticket) issue(s *seal.Sealer, namespace string) string {
	content, _ := json.Marshal(t) // strings and numbers always have a JSON form
	return s.Seal(string(content), namespace)
}

// open reads a ticket that was issued for the namespace and is not too old.
func openTicket(s *seal.Sealer, text, namespace string) (t ticket, ok bool) {
	content, ok := s.Open(text, namespace)
	if !ok || json.Unmarshal([]byte(content), &t) != nil {
		return ticket{}, false
	}
	return t, time.Since(time.Unix(t.Issued, 0)) < ticketAge
}
