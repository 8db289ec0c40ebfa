package commands

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	botv1 "github.com/pona-realtime/pona/proto/pona/bot/v1"
	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// check finds what is wrong with a registration. The error names the field.
func check(r *botv1.Registration) error {
	if n := len(r.GetBotName()); n == 0 || n > maxBotName {
		return fmt.Errorf("registration.bot_name: %d bytes, must be 1 to %d", n, maxBotName)
	}
	switch s := r.GetScope().(type) {
	case *botv1.Registration_All:
	case *botv1.Registration_Guilds:
		ids := s.Guilds.GetGuildIds()
		if len(ids) == 0 || len(ids) > maxGuilds {
			return fmt.Errorf("registration.guilds.guild_ids: %d, must be 1 to %d", len(ids), maxGuilds)
		}
		if i := slices.Index(ids, 0); i >= 0 {
			return fmt.Errorf("registration.guilds.guild_ids[%d]: must not be 0", i)
		}
	case *botv1.Registration_Shard:
		if s.Shard.GetIndex() >= s.Shard.GetCount() {
			return fmt.Errorf("registration.shard: index %d of %d", s.Shard.GetIndex(), s.Shard.GetCount())
		}
	default:
		return fmt.Errorf("registration: one of all, guilds and shard must be set")
	}
	return nil
}

// responseTo makes of a bot's answer what the listener's callback gets.
func responseTo(a *botv1.Answer) *edgev1.DispatchResponse {
	return &edgev1.DispatchResponse{Result: result(a), Sequence: a.GetSequence()}
}

func result(a *botv1.Answer) []byte {
	switch {
	case a.GetStatus() != botv1.Status_STATUS_OK && a.GetStatus() != botv1.Status_STATUS_ERROR:
		return refusal("the bot's answer has no status")
	case len(a.GetJson()) > 0 && !json.Valid(a.GetJson()):
		return refusal("the bot's answer is no JSON")
	case len(a.GetJson()) > 0:
		return a.GetJson()
	case a.GetStatus() == botv1.Status_STATUS_OK:
		return []byte(`{"status":"ok"}`)
	case a.GetReason() == "":
		return []byte(`{"status":"error"}`)
	default:
		return refusal(a.GetReason())
	}
}

// refusal is {"status":"error","reason":…}.
func refusal(reason string) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	out.WriteString(`{"status":"error","reason":`)
	_ = encoder.Encode(reason) // a text has an encoding
	out.Truncate(out.Len() - 1)
	out.WriteByte('}')
	return out.Bytes()
}
