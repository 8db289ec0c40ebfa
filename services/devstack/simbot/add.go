package simbot

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const (
	maxURI      = 2048 // bytes of a uri or of a search text
	maxPlaylist = 200  // tracks of one add-playlist
)

func (p *player) commandAdd(c command, now time.Time) error {
	var uri, platform string
	if err := c.decode(&uri, &platform); err != nil {
		return err
	}
	return p.request(now, c.user, []string{uri}, platform)
}

func (p *player) commandAddPlaylist(c command, now time.Time) error {
	var uris []string
	var about struct {
		Title      string          `json:"title"`
		Author     json.RawMessage `json:"author"`     // a name or an object, as the client has it
		Thumbnails json.RawMessage `json:"thumbnails"` // not looked at
	}
	if err := c.decode(&uris, &about); err != nil {
		return err
	}
	switch {
	case len(uris) == 0:
		return errors.New("the playlist is empty")
	case len(uris) > maxPlaylist:
		return fmt.Errorf("the playlist has %d tracks, at most %d are taken", len(uris), maxPlaylist)
	case about.Title == "":
		return errors.New("the playlist has no title")
	}
	return p.request(now, c.user, uris, about.Title)
}

// request looks up what a listener asked for and puts it into the queue, all of it or nothing.
func (p *player) request(now time.Time, user uint64, uris []string, from string) error {
	if len(p.upcoming)+len(uris) > maxQueue {
		return fmt.Errorf("the queue takes %d tracks at most", maxQueue)
	}
	for i, uri := range uris {
		if uri == "" || len(uri) > maxURI {
			return fmt.Errorf("uri %d has %d bytes, not 1 to %d", i, len(uri), maxURI)
		}
	}
	found := make([]track, len(uris))
	for i, uri := range uris {
		found[i] = p.entry(p.catalogue.search(uri, from), memberJSON(user))
	}
	p.emitQueueUpdating()
	p.enqueue(now, found...)
	return nil
}
