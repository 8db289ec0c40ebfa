package commands

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// Each fanout answers on two subjects: whether it has a bot for a guild (decimal id; "yes" or
// "no"), and a command for it (DispatchRequest and DispatchResponse).
const (
	findSubject = "fanout.commands.find."
	runSubject  = "fanout.commands.run."
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
	if _, err := nc.Subscribe(runSubject+s.options.FanoutID, s.run); err != nil {
		return err
	}
	s.nats.Store(nc)
	return nil
}

// find says whether a bot of this fanout serves the guild.
func (s *Server) find(msg *nats.Msg) {
	answer := "no"
	if guildID, err := strconv.ParseUint(string(msg.Data), 10, 64); err == nil && s.registry.find(guildID) != nil {
		answer = "yes"
	}
	_ = msg.Respond([]byte(answer)) // nobody can be told that the connection is gone
}

// run brings another fanout's command to a bot of this one.
func (s *Server) run(msg *nats.Msg) {
	if !s.room.TryAcquire(1) {
		respondError(msg, status.Errorf(codes.Unavailable, "%d commands of other fanouts wait here", maxRelayed))
		return
	}
	s.relayed.Go(func() {
		defer s.room.Release(1)
		response, err := s.runHere(msg)
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

func (s *Server) runHere(msg *nats.Msg) (*edgev1.DispatchResponse, error) {
	var r edgev1.DispatchRequest
	if err := proto.Unmarshal(msg.Data, &r); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	ms, err := strconv.ParseUint(msg.Header.Get(timeoutHeader), 10, 32)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "%s: %v", timeoutHeader, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), min(time.Duration(ms)*time.Millisecond, s.options.Timeout))
	defer cancel()
	response, found, err := s.dispatchHere(ctx, &r)
	if !found {
		return nil, errNoBot
	}
	return response, err
}

// dispatchElsewhere finds a peer with a bot for the guild and gives it the command.
func (s *Server) dispatchElsewhere(ctx context.Context, r *edgev1.DispatchRequest) (*edgev1.DispatchResponse, error) {
	nc, peers := s.nats.Load(), s.options.Peers()
	if nc == nil || len(peers) == 0 {
		return nil, errNoBot
	}
	peer := findPeer(ctx, nc, peers, r.GetGuildId())
	if peer == "" {
		return nil, errNoBot
	}
	encoded, err := proto.Marshal(r)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	response, err := nc.RequestMsgWithContext(ctx, &nats.Msg{
		Subject: runSubject + peer,
		Header:  nats.Header{timeoutHeader: {strconv.FormatUint(uint64(millisecondsLeft(ctx)), 10)}},
		Data:    encoded,
	})
	switch {
	case ctx.Err() != nil:
		return nil, endOf(ctx)
	case errors.Is(err, nats.ErrNoResponders):
		return nil, errNoBot
	case err != nil:
		return nil, status.Errorf(codes.Unavailable, "the bot's fanout cannot be reached: %v", err)
	}
	if code := response.Header.Get(codeHeader); code != "" {
		number, err := strconv.ParseUint(code, 10, 32)
		if err != nil {
			number = uint64(codes.Unknown)
		}
		return nil, status.Error(codes.Code(number), response.Header.Get(reasonHeader))
	}
	var answer edgev1.DispatchResponse
	if err := proto.Unmarshal(response.Data, &answer); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &answer, nil
}

// findPeer asks all peers at once and gives the first that has a bot for the guild; empty when all
// have said no, are gone, or did not answer.
func findPeer(ctx context.Context, nc *nats.Conn, peers []string, guildID uint64) string {
	ctx, cancel := context.WithTimeout(ctx, findWithin)
	found := make(chan string, len(peers))
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	for _, peer := range peers {
		asking.Go(func() {
			response, err := nc.RequestWithContext(ctx, findSubject+peer, strconv.AppendUint(nil, guildID, 10))
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
