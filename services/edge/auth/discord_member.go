package auth

import (
	"context"
	"net/http"
	"strconv"
)

// Codes of Discord's JSON errors (§ Opcodes and Status Codes).
const (
	codeUnknownGuild  = 10004
	codeUnknownMember = 10007
	codeUnknownUser   = 10013
	codeMissingAccess = 50001
)

// ByBot is a Membership that asks GET /guilds/{guild}/members/{user} with the bot's own token.
func (d *Discord) ByBot() Membership { return byBot{d} }

// ByUser is a Membership that asks GET /users/@me/guilds/{guild}/member with the user's own credential,
// whose scopes must hold guilds.members.read. It cannot tell whether the bot is in the guild: who is in
// a guild without the bot is let in, and hears nothing.
func (d *Discord) ByUser() Membership { return byUser{d} }

type byBot struct{ *Discord }

func (d byBot) Member(ctx context.Context, guildID uint64, user User, _ Credential) error {
	path := "/guilds/" + strconv.FormatUint(guildID, 10) + "/members/" + strconv.FormatUint(user.ID, 10)
	asBot := Credential{header: "Bot " + d.options.BotToken}
	answer, err := d.ask(ctx, path, asBot, bucket{kind: guildBucket, guild: guildID})
	if err != nil {
		return err
	}
	switch {
	case answer.status == http.StatusOK:
		return nil
	case answer.status == http.StatusNotFound && answer.code == codeUnknownGuild,
		answer.status == http.StatusForbidden && answer.code == codeMissingAccess:
		return ErrInvalidGuild
	case answer.status == http.StatusNotFound && (answer.code == codeUnknownMember || answer.code == codeUnknownUser):
		return ErrNotMember
	}
	return d.failed(answer, nil) // 401 among them: our own token is bad
}

type byUser struct{ *Discord }

func (d byUser) Member(ctx context.Context, guildID uint64, _ User, credential Credential) error {
	path := "/users/@me/guilds/" + strconv.FormatUint(guildID, 10) + "/member"
	b := bucket{kind: userBucket, user: d.hasher.credential(credential), guild: guildID}
	answer, err := d.ask(ctx, path, credential, b)
	if err != nil {
		return err
	}
	switch {
	case answer.status == http.StatusOK:
		return nil
	case answer.status == http.StatusNotFound && (answer.code == codeUnknownGuild || answer.code == codeUnknownMember):
		return ErrNotMember
	case answer.status == http.StatusUnauthorized, answer.status == http.StatusForbidden:
		return ErrUnauthorized // ended meanwhile, or without the scope
	}
	return d.failed(answer, nil)
}
