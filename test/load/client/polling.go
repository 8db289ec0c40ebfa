package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// polling carries packets in the bodies of GET and POST requests (§ HTTP long-polling).
type polling struct {
	options Options
	http    *http.Client
	sid     string
	ctx     context.Context
	cancel  context.CancelFunc
	writing chan struct{} // holds a token while a POST is under way: they must not overlap
}

func dialPolling(ctx context.Context, o Options) (*polling, []byte, error) {
	p := &polling{options: o, writing: make(chan struct{}, 1)}
	p.http = &http.Client{Transport: &http.Transport{
		DialContext: o.dial, DialTLSContext: o.dialTLS, Proxy: http.ProxyFromEnvironment,
		DisableCompression: !o.Compress, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute,
		ReadBufferSize: 2048, WriteBufferSize: 1024,
	}}
	p.ctx, p.cancel = context.WithCancel(context.Background()) // of the session, which outlives the dial
	body, err := p.ask(ctx, http.MethodGet, "")
	if err != nil {
		p.abort()
		return nil, nil, err
	}
	first, _, _ := bytes.Cut(body, separator)
	return p, first, nil
}

var separator = []byte{0x1e}

func (p *polling) read(silence time.Duration) ([][]byte, error) {
	ctx, cancel := context.WithTimeout(p.ctx, silence)
	defer cancel()
	body, err := p.ask(ctx, http.MethodGet, "")
	if err != nil {
		return nil, err
	}
	return bytes.Split(body, separator), nil
}

func (p *polling) write(packet string) error {
	select {
	case p.writing <- struct{}{}:
		defer func() { <-p.writing }()
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.options.Patience)
	defer cancel()
	_, err := p.ask(ctx, http.MethodPost, packet)
	return err
}

func (p *polling) ask(ctx context.Context, method, body string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, p.options.endpoint("polling", p.sid), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range p.options.Header {
		request.Header[name] = values
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	}
	response, err := p.http.Do(request)
	if err != nil {
		return nil, plain(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, plain(err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("polling refused: %s %.100s", response.Status, answer)
	}
	return answer, nil
}

func (p *polling) abort() {
	p.cancel()
	p.http.CloseIdleConnections()
}
