package relay

import "net/http"

// passHeader is carried by relayed requests only: the client's address, sealed and bound to the
// session. It stops a second relaying and cannot be made by a client; from there it is removed.
const passHeader = "Pona-Relay-Pass"

// provide gives a request the pass.
func (r *Relay) provide(request *http.Request, sid, clientAddress string) {
	request.Header.Set(passHeader, r.passes.Seal(clientAddress, sid))
}

// admit tells whether the request was relayed to here, and then sets its RemoteAddr to the client's.
func (r *Relay) admit(request *http.Request, sid string) bool {
	pass := request.Header.Get(passHeader)
	request.Header.Del(passHeader)
	if pass == "" {
		return false
	}
	clientAddress, ok := r.passes.Open(pass, sid)
	if ok {
		request.RemoteAddr = clientAddress
	}
	return ok
}
