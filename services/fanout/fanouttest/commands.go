package fanouttest

import (
	"context"
	"testing"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
)

// Commands is one ServeCommands call of a bot.
type Commands struct {
	t      testing.TB
	stream botv1.BotService_ServeCommandsClient
	cancel context.CancelFunc
}

// Serve registers the bot and waits until that has been answered.
func (b *Bot) Serve(r *botv1.Registration) *Commands {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b.t.Cleanup(cancel)
	stream, err := b.Client.ServeCommands(ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	c := &Commands{b.t, stream, cancel}
	if err := stream.Send(&botv1.ServeCommandsRequest{Message: &botv1.ServeCommandsRequest_Registration{Registration: r}}); err != nil {
		b.t.Fatal(err)
	}
	if response := c.next(); response.GetRegistered().GetFanoutId() == "" {
		b.t.Fatalf("a registration was answered with %v", response)
	}
	return c
}

// Next waits for a command.
func (c *Commands) Next() *botv1.Command {
	c.t.Helper()
	response := c.next()
	if response.GetCommand() == nil {
		c.t.Fatalf("instead of a command came %v", response)
	}
	return response.GetCommand()
}

// NextQuery waits for a question about a member.
func (c *Commands) NextQuery() *botv1.MemberQuery {
	c.t.Helper()
	response := c.next()
	if response.GetMemberQuery() == nil {
		c.t.Fatalf("instead of a member query came %v", response)
	}
	return response.GetMemberQuery()
}

// Member answers one.
func (c *Commands) Member(m *botv1.Member) {
	c.t.Helper()
	if err := c.stream.Send(&botv1.ServeCommandsRequest{Message: &botv1.ServeCommandsRequest_Member{Member: m}}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *Commands) next() *botv1.ServeCommandsResponse {
	c.t.Helper()
	response, err := c.stream.Recv()
	if err != nil {
		c.t.Fatal(err)
	}
	return response
}

// Answer ends a command.
func (c *Commands) Answer(a *botv1.Answer) {
	c.t.Helper()
	if err := c.stream.Send(&botv1.ServeCommandsRequest{Message: &botv1.ServeCommandsRequest_Answer{Answer: a}}); err != nil {
		c.t.Fatal(err)
	}
}

// Close ends the call.
func (c *Commands) Close() { c.cancel() }

// Err waits for the end of the call, and gives its error.
func (c *Commands) Err() error {
	for {
		if _, err := c.stream.Recv(); err != nil {
			return err
		}
	}
}
