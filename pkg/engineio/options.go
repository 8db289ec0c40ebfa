package engineio

import (
	"net/http"
	"time"

	"github.com/klauspost/compress/flate"
)

// Options tunes a Server; the zero value behaves like the reference server.
type Options struct {
	// Path is where requests are served, with or without a slash at its end; "" means "/engine.io/".
	Path string
	// PingInterval is the time between a pong and the next ping; 0 means 25s.
	PingInterval time.Duration
	// PingTimeout is how long a client may take to answer a ping; 0 means 20s.
	PingTimeout time.Duration
	// UpgradeTimeout is how long a WebSocket may take to complete an upgrade; 0 means 10s.
	UpgradeTimeout time.Duration
	// MaxPayload bounds a polling body or a WebSocket message, after decompression; 0 means 1e6.
	MaxPayload int64
	// MaxReceiving bounds the messages of more than 64 KiB that arrive or are being handled at the same
	// time, of all sessions together, in bytes; 0 means 16 times MaxPayload, at least 64 MiB. At the bound
	// somebody is closed, with the WebSocket's code 1013 or HTTP 503: whoever has been sending one for the
	// longest time, if that is more than a second, else whoever sends one more.
	MaxReceiving int64
	// MaxQueueBytes bounds what waits for one session that does not read; 0 means 16 MiB. At the bound
	// the session is closed with ReasonSlowConsumer.
	MaxQueueBytes int
	// MaxQueueFrames bounds the number of frames that wait likewise; 0 means 8192.
	MaxQueueFrames int
	// MaxSessions bounds the sessions of this server; 0 means no bound. Further handshakes get 503.
	MaxSessions int
	// DisablePolling and DisableWebSocket switch a transport off (its name becomes unknown).
	DisablePolling, DisableWebSocket bool
	// DisableUpgrades keeps polling sessions on polling.
	DisableUpgrades bool

	// PerMessageDeflate offers RFC 7692 compression on WebSocket; nil means off.
	PerMessageDeflate *PerMessageDeflate
	// HTTPCompression compresses polling answers as the client accepts; nil means from 1024 bytes on.
	HTTPCompression *HTTPCompression

	// CORS answers preflights and names the origin in every answer; nil means no CORS.
	CORS *CORS
	// Cookie names the session's id in a cookie on the first polling answer; nil means none.
	Cookie *Cookie
	// AllowRequest decides over a handshake. Its error's text is shown to the client with code 4.
	// It may block; nil allows all.
	AllowRequest func(*http.Request) error
	// InitialMessage is sent in the same answer as the handshake.
	InitialMessage *Message
	// RequestHeaders names the handshake's headers that a session keeps; nil means all. A browser's
	// take a kilobyte for each session.
	RequestHeaders []string
	// GenerateID names a session; nil means 20 random characters. Its failure refuses the handshake
	// with code 3.
	GenerateID func(*http.Request) (string, error)
	// InitialHeaders may add headers to the first answer of a session, Headers to every answer.
	InitialHeaders, Headers func(http.Header, *http.Request)
	// OnConnectionError hears of each refusal; nil means nobody does.
	OnConnectionError func(*ConnectionError)

	counters *counters // the server's
}

// Cookie tunes the cookie that holds a session's id. The zero value is the reference's:
// "io=<sid>; Path=/; HttpOnly; SameSite=Lax".
type Cookie struct {
	Name     string        // "" means "io"
	Path     string        // "" means "/"
	Domain   string        // "" means the host that answers
	MaxAge   time.Duration // 0 means until the browser ends; whole seconds on the wire
	SameSite http.SameSite // 0 means Lax
	Secure   bool          // only over TLS
	Scripted bool          // scripts may read it: no HttpOnly
}

func (c *Cookie) header(sid string) string {
	return (&http.Cookie{
		Name: orDefault(c.Name, "io"), Value: sid, Path: orDefault(c.Path, "/"), Domain: c.Domain,
		MaxAge: int(c.MaxAge.Seconds()), SameSite: orDefault(c.SameSite, http.SameSiteLaxMode),
		Secure: c.Secure, HttpOnly: !c.Scripted,
	}).String()
}

// PerMessageDeflate tunes WebSocket compression. A broadcast is compressed once, not once a session.
type PerMessageDeflate struct {
	Threshold int // messages below are sent as they are; 0 means 1024
	Level     int // 1 (fast) to 9 (small); 0 means 6

	counters *counters // the server's
}

func (d *PerMessageDeflate) threshold() int { return orDefault(d.Threshold, 1024) }

func (d *PerMessageDeflate) level() int {
	return min(max(orDefault(d.Level, 6), flate.BestSpeed), flate.BestCompression)
}

// HTTPCompression tunes gzip and deflate of polling answers.
type HTTPCompression struct {
	Disabled  bool
	Threshold int // answers below are sent as they are; 0 means 1024
	Level     int // 1 (fast) to 9 (small); 0 means 6
}

func (o Options) withDefaults() Options {
	o.Path = orDefault(o.Path, "/engine.io/")
	o.PingInterval = orDefault(o.PingInterval, 25*time.Second)
	o.PingTimeout = orDefault(o.PingTimeout, 20*time.Second)
	o.UpgradeTimeout = orDefault(o.UpgradeTimeout, 10*time.Second)
	o.MaxPayload = orDefault(o.MaxPayload, 1e6)
	o.MaxReceiving = orDefault(o.MaxReceiving, max(16*o.MaxPayload, 64<<20))
	o.MaxQueueBytes = orDefault(o.MaxQueueBytes, 16<<20)
	o.MaxQueueFrames = orDefault(o.MaxQueueFrames, 8192)
	if o.HTTPCompression == nil {
		o.HTTPCompression = &HTTPCompression{}
	}
	if o.GenerateID == nil {
		o.GenerateID = func(*http.Request) (string, error) { return NewID(), nil }
	}
	return o
}

func orDefault[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
