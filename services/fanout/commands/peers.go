package commands

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/pona-realtime/pona/pkg/tracing"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// Each fanout answers on three subjects: whether it has a bot for a guild (decimal id, and after a
// space the purpose if there is one; "yes" or "no"), a command for it (DispatchRequest and DispatchResponse), and a question
// about a member (FindMemberRequest and FindMemberResponse).
const (
	findSubject   = "fanout.commands.find."
	runSubject    = "fanout.commands.run."
	memberSubject = "fanout.commands.member."
)

// Headers of a command between fanouts.
const (
	timeoutHeader = "Pona-Timeout-Ms" // of the request: until nobody waits any more
	codeHeader    = "Pona-Code"       // of a response without body: the gRPC code, a number
	reasonHeader  = "Pona-Reason"     // and its message
)

// findWithin bounds how long a peer that does not answer holds up "no bot serves this guild".
const findWithin = 500 * time.Millisecond

// Listen takes commands of other fanouts over the connection, until that is closed.
func (s *Server) Listen(nc *nats.Conn) error {
	if _, err := nc.Subscribe(findSubject+s.options.FanoutID, s.find); err != nil {
		return err
	}
	for subject, answer := range map[string]func(*nats.Msg) (proto.Message, error){
		runSubject: s.runHere, memberSubject: s.findHere,
	} {
		if _, err := nc.Subscribe(subject+s.options.FanoutID, func(msg *nats.Msg) { s.take(msg, answer) }); err != nil {
			return err
		}
	}
	s.nats.Store(nc)
	return nil
}

// find says whether a bot of this fanout serves the guild.
func (s *Server) find(msg *nats.Msg) {
	answer := "no"
	digits, what, _ := strings.Cut(string(msg.Data), " ")
	if guildID, err := strconv.ParseUint(digits, 10, 64); err == nil && s.registry.find(guildID, purpose(what)) != nil {
		answer = "yes"
	}
	_ = msg.Respond([]byte(answer)) // nobody can be told that the connection is gone
}

// take answers another fanout's request.
func (s *Server) take(msg *nats.Msg, answer func(*nats.Msg) (proto.Message, error)) {
	if !s.room.TryAcquire(1) {
		respondError(msg, status.Errorf(codes.Unavailable, "%d requests of other fanouts wait here", maxRelayed))
		return
	}
	s.relayed.Go(func() {
		defer s.room.Release(1)
		response, err := answer(msg)
		if err != nil {
			respondError(msg, err)
			return
		}
		encoded, err := proto.Marshal(response)
		if err != nil {
			respondError(msg, err)
			return
		}
		_ = msg.Respond(encoded) // nobody can be told that the connection is gone
	})
}

// runHere brings another fanout's command to a bot of this one.
func (s *Server) runHere(msg *nats.Msg) (proto.Message, error) {
	var r edgev1.DispatchRequest
	ctx, cancel, err := s.opened(msg, &r)
	if err != nil {
		return nil, err
	}
	defer cancel()
	response, found, err := s.dispatchHere(ctx, &r)
	if !found {
		return nil, errNoBot
	}
	return response, err
}

// findHere asks a bot of this fanout about a member for another fanout.
func (s *Server) findHere(msg *nats.Msg) (proto.Message, error) {
	var r edgev1.FindMemberRequest
	ctx, cancel, err := s.opened(msg, &r)
	if err != nil {
		return nil, err
	}
	defer cancel()
	response, found, err := s.memberHere(ctx, &r)
	if !found {
		return nil, errNoMembers
	}
	return response, err
}

// opened reads a request, and for how long somebody waits.
func (s *Server) opened(msg *nats.Msg, r proto.Message) (context.Context, context.CancelFunc, error) {
	if err := proto.Unmarshal(msg.Data, r); err != nil {
		return nil, nil, status.Error(codes.InvalidArgument, err.Error())
	}
	ms, err := strconv.ParseUint(msg.Header.Get(timeoutHeader), 10, 32)
	if err != nil {
		return nil, nil, status.Errorf(codes.InvalidArgument, "%s: %v", timeoutHeader, err)
	}
	ctx, cancel := context.WithTimeout(s.traced(msg.Header), min(time.Duration(ms)*time.Millisecond, s.options.Timeout))
	return ctx, cancel, nil
}

// elsewhere finds a peer with a bot for the guild, gives it the request and reads its response.
func (s *Server) elsewhere(ctx context.Context, purpose purpose, subject string, guildID uint64, request, response proto.Message) error {
	none := errNoBot
	if purpose == findsMembers {
		none = errNoMembers
	}
	nc, peers := s.nats.Load(), s.options.Peers()
	if nc == nil || len(peers) == 0 {
		return none
	}
	peer := findPeer(ctx, nc, peers, guildID, purpose)
	if peer == "" {
		return none
	}
	encoded, err := proto.Marshal(request)
	if err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	got, err := nc.RequestMsgWithContext(ctx, &nats.Msg{
		Subject: subject + peer,
		Header:  headerOf(ctx),
		Data:    encoded,
	})
	switch {
	case ctx.Err() != nil:
		return endOf(ctx)
	case errors.Is(err, nats.ErrNoResponders):
		return none
	case err != nil:
		return status.Errorf(codes.Unavailable, "the bot's fanout cannot be reached: %v", err)
	}
	if code := got.Header.Get(codeHeader); code != "" {
		number, err := strconv.ParseUint(code, 10, 32)
		if err != nil {
			number = uint64(codes.Unknown)
		}
		return status.Error(codes.Code(number), got.Header.Get(reasonHeader))
	}
	if err := proto.Unmarshal(got.Data, response); err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	return nil
}

// headerOf is a request's: how long somebody waits, and the span it belongs to, if it is traced.
func headerOf(ctx context.Context) nats.Header {
	header := nats.Header{timeoutHeader: {strconv.FormatUint(uint64(millisecondsLeft(ctx)), 10)}}
	if traceparent := tracing.Traceparent(trace.SpanFromContext(ctx)); traceparent != "" {
		header[tracing.Header] = []string{traceparent}
	}
	return header
}

// findPeer asks all peers at once and gives the first that has a bot for the guild; empty when all
// have said no, are gone, or did not answer.
func findPeer(ctx context.Context, nc *nats.Conn, peers []string, guildID uint64, purpose purpose) string {
	ctx, cancel := context.WithTimeout(ctx, findWithin)
	found := make(chan string, len(peers))
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	for _, peer := range peers {
		asking.Go(func() {
			response, err := nc.RequestWithContext(ctx, findSubject+peer, []byte(strings.TrimSpace(fmt.Sprintf("%d %s", guildID, purpose))))
			if err != nil || string(response.Data) != "yes" {
				peer = ""
			}
			found <- peer
		})
	}
	for range peers {
		if peer := <-found; peer != "" {
			return peer
		}
	}
	return ""
}

func respondError(msg *nats.Msg, err error) {
	st := status.Convert(err)
	_ = msg.RespondMsg(&nats.Msg{Header: nats.Header{ // nobody can be told that the connection is gone
		codeHeader:   {strconv.FormatUint(uint64(st.Code()), 10)},
		reasonHeader: {st.Message()},
	}})
}
