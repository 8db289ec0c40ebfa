package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	"github.com/pona-realtime/pona/services/edge/edgetest"
)

// TestPollingWithoutStickySessions plays two edges behind a balancer that takes them in turn.
func TestPollingWithoutStickySessions(t *testing.T) {
	t.Parallel() // it mostly waits
	f := edgetest.StartFanout(t)
	p := f.Play(t)
	f.Answer(func(context.Context, *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error) {
		return &edgev1.DispatchResponse{Result: []byte(`{"status":"ok"}`)}, nil
	})
	var addresses []string
	for range 2 {
		s := local(t)
		s.Fanouts = []string{f.Addr()}
		addresses = append(addresses, started(t, s).Addr())
	}
	for user := 1; user <= 4; user++ {
		c := edgetest.DialPolling(t, slices.Clone(addresses))
		c.Connect(guild100, as(user))
		c.Joined(guild100)
		c.Handshake(guild100)
		for n := range 10 {
			p.Publish(100, edgetest.Volume(fmt.Sprint(n)))
			c.Want(edgetest.Event, guild100, fmt.Sprintf(`["volume_updated",%d]`, n))
		}
		id := c.EmitWithAck(guild100, "pause")
		wantAck(t, c, id, `[{"status":"ok"}]`)
		slices.Reverse(addresses) // the next session belongs to the other edge
	}
}

func TestASessionThatNobodyHas(t *testing.T) {
	s := local(t)
	withFanout(t, &s)
	gone := started(t, s)
	sid, err := gone.relay.GenerateID(nil)
	if err != nil {
		t.Fatal(err)
	}
	a := started(t, s)
	for name, sid := range map[string]string{"unknown here": sid, "forged": "lv_VI97HAXpY6yYWAAAC"} {
		code, body := get(t, "http://"+a.Addr()+"/socket.io/?EIO=4&transport=polling&sid="+sid)
		if code != 400 || body != `{"code":1,"message":"Session ID unknown"}` {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
}

// TestStopping ends an edge in the middle of everything: nothing may be left, and clients must hear of it.
func TestStopping(t *testing.T) {
	t.Parallel() // it mostly waits
	s := local(t)
	f, p := withFanout(t, &s)
	called := make(chan struct{}, 1)
	f.Answer(func(ctx context.Context, _ *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error) {
		called <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	a, err := New(s, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	await(t, a.Ready())
	var clients []*edgetest.Client
	for _, c := range []*edgetest.Client{edgetest.DialWebSocket(t, a.Addr()), edgetest.DialPolling(t, []string{a.Addr()})} {
		c.Connect(guild100, as(1))
		c.Joined(guild100)
		c.Handshake(guild100)
		clients = append(clients, c)
	}
	clients[0].EmitWithAck(guild100, "pause")
	<-called
	p.Publish(100, edgetest.Volume("1"))
	began := time.Now()
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(edgetest.Patience):
		t.Fatal("Run does not return")
	}
	if took := time.Since(began); took > s.Grace/2 {
		t.Errorf("took %s", took)
	}
	for _, c := range clients {
		await(t, c.Closed())
	}
}

func TestRunFailsWithItsListener(t *testing.T) {
	s := local(t)
	withFanout(t, &s)
	a, err := New(s, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(t.Context()) }()
	await(t, a.Ready())
	_ = a.clients.Close()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "closed") {
			t.Error(err)
		}
	case <-time.After(edgetest.Patience):
		t.Fatal("Run does not return")
	}
}

func TestATakenPortIsNamed(t *testing.T) {
	s := local(t)
	withFanout(t, &s)
	a := started(t, s)
	s.Listen = a.Addr()
	if _, err := New(s, quiet); err == nil || !strings.HasPrefix(err.Error(), "listen: ") {
		t.Error(err)
	}
	s.Listen, s.Admin = "127.0.0.1:0", a.AdminAddr()
	if _, err := New(s, quiet); err == nil || !strings.HasPrefix(err.Error(), "admin: ") {
		t.Error(err)
	}
}
