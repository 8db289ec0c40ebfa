package app

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
	playerv1 "github.com/pona-realtime/pona/proto/pona/player/v1"
	"github.com/pona-realtime/pona/services/edge/edgetest"
)

const guild1000 = "/guild/1000" // of a Discord whose users are all in it

// joined is a client in a guild, past its handshake.
func joined(t *testing.T, a *App, namespace, payload string) *edgetest.Client {
	t.Helper()
	c := edgetest.DialWebSocket(t, a.Addr())
	c.Connect(namespace, payload)
	c.Joined(namespace)
	c.Handshake(namespace)
	return c
}

// wantRevoked waits for what a client is told before it is disconnected from a guild, and that.
func wantRevoked(t *testing.T, c *edgetest.Client, namespace, message string) {
	t.Helper()
	c.Want(edgetest.Event, namespace, `["revoked",{"message":"`+message+`"}]`)
	c.Want(edgetest.Disconnect, namespace, "")
}

func TestTheEndOfATokenIsTheEndOfListening(t *testing.T) {
	t.Parallel() // it mostly waits
	s := local(t)
	withFanout(t, &s)
	d := withDiscord(t, &s)
	s.DiscordApplication = edgetest.DiscordApplication
	a := started(t, s)
	d.Expire(time.Now().Add(time.Second))
	c := joined(t, a, guild1000, bearer("user1"))
	d.Expire(time.Now().Add(time.Hour))
	other := joined(t, a, guild1000, bearer("user2"))
	wantRevoked(t, c, guild1000, "token expired")
	c.Connect(guild1000, bearer("user1"))
	c.Joined(guild1000) // with a token that lasts longer; the old one's end is not remembered
	id := other.EmitWithAck(guild1000, "pause")
	wantAck(t, other, id, `[{"status":"error","reason":"no bot answers for this guild"}]`) // is still there
}

func TestListenersAreAskedAboutAgain(t *testing.T) {
	s := local(t)
	withFanout(t, &s)
	d := withDiscord(t, &s)
	s.AuthRecheck, s.AuthCache = 50*time.Millisecond, false
	a := started(t, s)
	stays, goes := joined(t, a, guild1000, bearer("user1")), joined(t, a, guild1000, bearer("user2"))
	d.Remove(1000, 2)
	wantRevoked(t, goes, guild1000, "not a member of this guild")
	id := stays.EmitWithAck(guild1000, "pause")
	wantAck(t, stays, id, `[{"status":"error","reason":"no bot answers for this guild"}]`)
}

func TestTroubleAtDiscordDisconnectsNobody(t *testing.T) {
	s := local(t)
	withFanout(t, &s)
	d := withDiscord(t, &s)
	s.AuthRecheck, s.AuthCache = 20*time.Millisecond, false
	a := started(t, s)
	c := joined(t, a, guild1000, bearer("user1"))
	failed := make(chan struct{}, 100)
	d.Answer(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(503)
		failed <- struct{}{}
		return true
	})
	for range 3 {
		await(t, failed)
	}
	id := c.EmitWithAck(guild1000, "pause")
	wantAck(t, c, id, `[{"status":"error","reason":"no bot answers for this guild"}]`)
}

func TestRevocation(t *testing.T) {
	s := local(t)
	_, p := withFanout(t, &s)
	d := withDiscord(t, &s)
	a := started(t, s)
	goes, other := joined(t, a, guild1000, bearer("user1")), joined(t, a, guild1000, bearer("user2"))
	elsewhere := joined(t, a, "/guild/1001", bearer("user1"))

	p.Revoke(&edgev1.Revoked{GuildId: 1000, UserIds: []uint64{1, 2}, Reason: "roles", Check: true})
	p.Revoke(&edgev1.Revoked{GuildId: 1000, UserIds: []uint64{9}, Reason: "banned"})
	d.Remove(1000, 1)
	began := time.Now()
	p.Revoke(&edgev1.Revoked{GuildId: 1000, UserIds: []uint64{1}, Reason: "banned"})
	switch name, args := goes.Event(guild1000); {
	case name != "revoked":
		t.Fatalf("%s %s", name, args)
	case string(args[0]) == `{"message":"banned"}`:
	case string(args[0]) == `{"message":"not a member of this guild"}`: // the check before found it out
	default:
		t.Errorf("%s", args)
	}
	goes.Want(edgetest.Disconnect, guild1000, "")
	if took := time.Since(began); took > time.Second {
		t.Errorf("took %s", took)
	}
	goes.Connect(guild1000, bearer("user1"))
	goes.Want(edgetest.ConnectError, guild1000, `{"message":"not a member of this guild"}`) // is not remembered
	for c, namespace := range map[*edgetest.Client]string{other: guild1000, elsewhere: "/guild/1001"} {
		id := c.EmitWithAck(namespace, "pause")
		wantAck(t, c, id, `[{"status":"error","reason":"no bot answers for this guild"}]`)
	}
}

// TestWhoIsOnTheWayInIsRevokedToo has a user removed after it was authorized and before it is in its guild.
func TestWhoIsOnTheWayInIsRevokedToo(t *testing.T) {
	s := local(t)
	f := edgetest.StartFanout(t)
	s.Fanouts = []string{f.Addr()}
	a := start(t, s, quiet)
	stream := f.Accept(t)
	stream.Hello(t)
	stream.Owned(1, 1, 0)
	await(t, a.Ready())
	c := edgetest.DialWebSocket(t, a.Addr())
	c.Connect(guild100, as(1))
	stream.Subscribed(t) // authorized, and waiting for the guild's state
	a.revoked(t.Context(), &edgev1.Revoked{GuildId: 100, UserIds: []uint64{1}, Reason: "banned"})
	stream.Snapshot(100, 1, nil)
	c.Joined(guild100)
	c.Handshake(guild100)
	wantRevoked(t, c, guild100, "banned")
}

func TestTheBotSaysWhoIsAMember(t *testing.T) {
	s := local(t)
	f, _ := withFanout(t, &s)
	withDiscord(t, &s)
	s.Members, s.DiscordBotToken = "bot", ""
	a := started(t, s)
	c := edgetest.DialWebSocket(t, a.Addr())
	refused := func(guild, want string) {
		t.Helper()
		c.Connect(guild, bearer("user1"))
		c.Want(edgetest.ConnectError, guild, want)
	}
	refused(guild100, `{"message":"temporarily unavailable","data":{"retryAfterMs":2000}}`)
	f.Members(func(_ context.Context, r *edgev1.FindMemberRequest) (*edgev1.FindMemberResponse, error) {
		return &edgev1.FindMemberResponse{Standing: map[uint64]playerv1.Standing{
			100: playerv1.Standing_STANDING_MEMBER, 101: playerv1.Standing_STANDING_NOT_MEMBER, 102: playerv1.Standing_STANDING_NO_GUILD,
		}[r.GetGuildId()]}, nil
	})
	refused("/guild/101", `{"message":"not a member of this guild"}`)
	refused("/guild/102", `{"message":"invalid guild"}`)
	refused("/guild/103", `{"message":"temporarily unavailable","data":{"retryAfterMs":2000}}`)
	c.Connect(guild100, bearer("user1"))
	c.Joined(guild100)
	if strings.Contains(c.Handshake(guild100), "error") {
		t.Error("no handshake")
	}
}

// TestWhoWasRemovedMeanwhileDoesNotComeBack has a member return with its ticket, and no member any more.
func TestWhoWasRemovedMeanwhileDoesNotComeBack(t *testing.T) {
	s := local(t)
	withFanout(t, &s)
	d := withDiscord(t, &s)
	s.AuthCache = false
	a := started(t, s)
	lost := joined(t, a, guild1000, bearer("user1"))
	back := edgetest.DialWebSocket(t, a.Addr())
	back.ConnectAgain(lost, guild1000, bearer("user1"))
	if back.Joined(guild1000); !back.Recovered() {
		t.Fatal("the ticket is not worth anything")
	}
	d.Remove(1000, 1)
	again := edgetest.DialWebSocket(t, a.Addr())
	again.ConnectAgain(back, guild1000, bearer("user1"))
	again.Want(edgetest.ConnectError, guild1000, `{"message":"not a member of this guild"}`)
}
