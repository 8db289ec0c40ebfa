package main

import (
	"slices"

	"github.com/pona-realtime/pona/pkg/socketio"
)

// answerBinary answers only where the bytes arrived, in the order in which they were sent: one
// client's listeners run one after another. A browser's blobs arrive as bytes like any others.
func answerBinary(s *socketio.Socket) {
	reply := func(on, event string, arrived func(socketio.Args) bool) {
		s.On(on, func(e *socketio.Event) {
			if arrived(e.Args) {
				_ = s.Emit(event)
			}
		})
	}
	reply("buffa", "buffack", isBinary)
	reply("blob", "back", isBinary)
	reply("jsonbuff", "jsonbuff-ack", isMixed)
	reply("jsonblob", "jsonblob-ack", isMixed)

	sent := []string{} // of what must come in order
	note := func(on string, arrived func(socketio.Args) bool) {
		s.On(on, func(e *socketio.Event) {
			if arrived(e.Args) {
				sent = append(sent, on)
			}
		})
	}
	came := func(before ...string) bool { return slices.Equal(sent, before) }
	note("abuff1", isBinary)
	reply("abuff2", "abuff2-ack", func(socketio.Args) bool { return came("abuff1") })
	note("blob1", isBinary)
	note("blob2", func(a socketio.Args) bool { return len(a) > 0 && string(a[0].JSON()) == `"second"` })
	reply("blob3", "blob3-ack", func(a socketio.Args) bool { return came("blob1", "blob2") && isBinary(a) })
}

func isBinary(a socketio.Args) bool {
	if len(a) == 0 {
		return false
	}
	_, ok := a[0].Bytes()
	return ok
}

// isMixed tells whether the first argument is an object with an attachment between two texts.
func isMixed(a socketio.Args) bool {
	var object struct {
		Hello, Goodbye string
		Message        []byte // an attachment stands as base64, as encoding/json reads it
	}
	return len(a) > 0 && a[0].Decode(&object) == nil &&
		object.Hello == "lol" && len(object.Message) > 0 && object.Goodbye == "gotcha"
}
