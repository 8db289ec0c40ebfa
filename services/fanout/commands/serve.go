package commands

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
)

// Bounds of a Registration.
const (
	maxBotName = 64 // bytes
	maxGuilds  = 100_000
)

// ServeCommands makes its caller the bot of some guilds; see BotService.
func (s *Server) ServeCommands(call grpc.BidiStreamingServer[botv1.ServeCommandsRequest, botv1.ServeCommandsResponse]) error {
	first, err := call.Recv()
	if err != nil {
		return err
	}
	if first.GetRegistration() == nil {
		return status.Error(codes.InvalidArgument, "registration: must be the first message")
	}
	b := newBot(first.GetRegistration().GetBotName())
	if err := s.register(b, first.GetRegistration()); err != nil {
		return err
	}
	s.log.Info("bot serves commands", "bot", b.name)
	defer func() {
		s.registry.deregister(b)
		close(b.gone)
		s.log.Info("bot serves no more commands", "bot", b.name)
	}()
	read := make(chan error, 1)
	s.readers.Go(func() { read <- s.read(call, b) }) // ends with the call
	for {
		select {
		case err := <-read:
			return err
		case <-s.stopping:
			return status.Error(codes.Unavailable, "this fanout stops")
		case response := <-b.out:
			if c := response.GetCommand(); c != nil {
				if _, waits := b.waits(c.GetCommandId()); !waits {
					continue // its time was over before it could be sent
				}
			}
			if err := call.Send(response); err != nil {
				return err
			}
		}
	}
}

// read takes registrations and answers until the bot closes its side or says nonsense.
func (s *Server) read(call grpc.BidiStreamingServer[botv1.ServeCommandsRequest, botv1.ServeCommandsResponse], b *bot) error {
	for {
		request, err := call.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch message := request.GetMessage().(type) {
		case *botv1.ServeCommandsRequest_Registration:
			if err := s.register(b, message.Registration); err != nil {
				return err
			}
		case *botv1.ServeCommandsRequest_Answer:
			s.answer(call.Context(), b, message.Answer)
		case *botv1.ServeCommandsRequest_Member:
			if err := b.member(message.Member); err != nil {
				return err
			}
		default:
			return status.Error(codes.InvalidArgument, "message: missing, or not known to this version")
		}
	}
}

// register checks a registration, answers it, and makes the bot known by it.
func (s *Server) register(b *bot, r *botv1.Registration) error {
	if err := check(r); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	return s.registry.register(b, scopeOf(r), r.GetAnswersMembers(), func() error {
		select {
		case b.out <- &botv1.ServeCommandsResponse{Message: &botv1.ServeCommandsResponse_Registered{
			Registered: &botv1.Registered{FanoutId: s.options.FanoutID},
		}}:
			return nil
		default:
			return status.Error(codes.ResourceExhausted, "registration: too much waits for this bot")
		}
	})
}

// answer ends a command. An answer to one that nobody waits for is dropped.
func (s *Server) answer(ctx context.Context, b *bot, a *botv1.Answer) {
	c, waits := b.waits(a.GetCommandId())
	if !waits {
		return
	}
	response := responseTo(a)
	if response.Sequence == 0 {
		response.Sequence = s.options.LastStored(ctx, c.guildID)
	}
	select {
	case c.answer <- response:
	default: // a second answer
	}
}
