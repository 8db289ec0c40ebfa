package auth

import (
	"context"
	"net/http"
	"strconv"

	"github.com/maypok86/otter/v2"
)

// Codes of Discord's JSON errors (§ Opcodes and Status Codes).
const (
	codeUnknownGuild  = 10004
	codeUnknownMember = 10007
	codeUnknownUser   = 10013
	codeMissingAccess = 50001
)

// membership is a user found in a guild.
type membership struct{ guild, user uint64 }

// member is nil when the user is in the guild: GET /guilds/{guild}/members/{user}, asked as the bot.
// ErrInvalidGuild when the bot is not, ErrNotMember when the user is not.
func (d *Discord) member(ctx context.Context, guildID uint64, user User) error {
	_, err := d.members.Get(ctx, membership{guildID, user.ID},
		otter.LoaderFunc[membership, struct{}](d.askMember))
	return err
}

func (d *Discord) askMember(ctx context.Context, m membership) (struct{}, error) {
	path := "/guilds/" + strconv.FormatUint(m.guild, 10) + "/members/" + strconv.FormatUint(m.user, 10)
	asBot := Credential{header: "Bot " + d.options.BotToken}
	answer, err := d.ask(ctx, path, asBot, bucket{kind: guildBucket, guild: m.guild})
	if err != nil {
		return struct{}{}, err
	}
	switch {
	case answer.status == http.StatusOK:
		return struct{}{}, nil
	case answer.status == http.StatusNotFound && answer.code == codeUnknownGuild,
		answer.status == http.StatusForbidden && answer.code == codeMissingAccess:
		return struct{}{}, ErrInvalidGuild
	case answer.status == http.StatusNotFound && (answer.code == codeUnknownMember || answer.code == codeUnknownUser):
		return struct{}{}, ErrNotMember
	}
	return struct{}{}, d.failed(answer, nil) // 401 among them: our own token is bad
}
