package client

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
)

// Traffic counts what many clients send and receive. Its methods and fields are safe for concurrent use; a nil
// Traffic counts nothing.
type Traffic struct {
	In, Out atomic.Int64 // bytes on the wire, as compressed, above TLS; HTTP's and WebSocket's heads among them
	Packets atomic.Int64 // Engine.IO packets received
	Payload atomic.Int64 // their bytes, as the application sees them
}

func (t *Traffic) received(payload int) {
	if t != nil {
		t.Packets.Add(1)
		t.Payload.Add(int64(payload))
	}
}

// counted is a connection whose bytes are counted.
type counted struct {
	net.Conn
	traffic *Traffic
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.traffic.In.Add(int64(n))
	return n, err
}

func (c counted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.traffic.Out.Add(int64(n))
	return n, err
}

func (o Options) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := o.dialer().DialContext(ctx, network, address)
	return o.count(conn, err)
}

func (o Options) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&tls.Dialer{NetDialer: o.dialer(), Config: o.TLS}).DialContext(ctx, network, address)
	return o.count(conn, err)
}

func (o Options) dialer() *net.Dialer {
	d := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: false}}
	if o.Source.IsValid() {
		d.LocalAddr = &net.TCPAddr{IP: o.Source.AsSlice()}
	}
	return d
}

func (o Options) count(conn net.Conn, err error) (net.Conn, error) {
	if err != nil || o.Traffic == nil {
		return conn, err
	}
	return counted{conn, o.Traffic}, nil
}
