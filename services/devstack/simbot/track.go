package simbot

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"time"
)

// liveDuration is how bots write the duration of a live stream: the largest 64-bit integer after a
// round trip through a double.
const liveDuration = "9223372036854776000"

// track is one entry of a queue: the JSON that clients get, and what the player reads of it.
type track struct {
	id       string        // uniqueId, names this entry in rm
	json     []byte        // object; never written to after it was made
	lyrics   []byte        // object, or nil when there is none to come
	duration time.Duration // 0 for a live stream, which does not end by itself
	length   string        // duration in ms, the JSON number as written
	seekable bool
}

// newTrack makes a queue entry of a song by putting uniqueId and requester before its own fields.
// The requester is a JSON value.
func newTrack(s song, id string, requester []byte) track {
	var read struct {
		Duration json.Number `json:"duration"`
		Seekable bool        `json:"isSeekable"`
	}
	if err := json.Unmarshal(s.Track, &read); err != nil {
		panic("simbot: song: " + err.Error()) // catalogue or searched, never input
	}
	t := track{id: id, length: read.Duration.String(), seekable: read.Seekable}
	if t.length != liveDuration {
		ms, err := read.Duration.Float64()
		if err != nil {
			panic("simbot: song: " + err.Error())
		}
		t.duration = time.Duration(ms * float64(time.Millisecond))
	}
	if !bytes.Equal(s.Lyrics, []byte("null")) {
		t.lyrics = s.Lyrics
	}
	t.json = fmt.Appendf(nil, `{"uniqueId":%q,"requester":%s,%s`, id, requester, s.Track[1:])
	return t
}

// withLyrics is the track after its lyrics have arrived; there are none to come any more.
func (t track) withLyrics() track {
	t.json = fmt.Appendf(nil, `%s,"lyrics":%s}`, t.json[:len(t.json)-1], t.lyrics)
	t.lyrics = nil
	return t
}

// search finds the song for what a listener asked for: the one of the catalogue with that uri, or
// one made up from the text, always the same for the same text.
func (c *catalogue) search(uri, platform string) song {
	for _, s := range c.songs {
		var read struct {
			URI string `json:"uri"`
		}
		if json.Unmarshal(s.Track, &read) == nil && read.URI == uri {
			return s
		}
	}
	sum := fnv.New32a()
	sum.Write([]byte(uri))
	made, err := json.Marshal(struct {
		Title      string  `json:"title"`
		Author     string  `json:"author"`
		Identifier string  `json:"identifier"`
		Duration   uint32  `json:"duration"`
		Seekable   bool    `json:"isSeekable"`
		Stream     bool    `json:"isStream"`
		URI        string  `json:"uri"`
		Artwork    *string `json:"artworkUrl"`
		Source     string  `json:"sourceName"`
	}{
		Title: uri, Author: "Found on " + platform, Identifier: fmt.Sprintf("%08x", sum.Sum32()),
		Duration: 60_000 + sum.Sum32()%180*1000, Seekable: true, URI: uri, Source: platform,
	})
	if err != nil {
		panic("simbot: search: " + err.Error())
	}
	return song{Track: made, Lyrics: []byte("null")}
}
