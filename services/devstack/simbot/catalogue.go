package simbot

import (
	_ "embed"
	"encoding/json"
	"strconv"
)

// Guild is one simulated guild.
type Guild struct {
	ID       uint64 // Discord snowflake
	Name     string
	Channel  string // id of its voice channel, digits
	Volume   int    // per cent, at start
	Autoplay bool   // picks a track itself when the queue has ended
	Joined   bool   // the bot is there from the start; otherwise it waits for join

	pick []int // indexes of the tracks that wait at the start, the first one plays
}

// song is a track as the catalogue knows it: before somebody asked for it.
type song struct {
	Track  json.RawMessage `json:"track"`  // object, as written in the catalogue
	Lyrics json.RawMessage `json:"lyrics"` // object or null; arrives while the track plays
}

// catalogue is all that the simulation knows. It is read once and never written.
type catalogue struct {
	guilds  []Guild
	members []json.RawMessage // guild members, JSON objects
	songs   []song
}

//go:embed catalogue.json
var catalogueJSON []byte

// Guilds lists the simulated guilds; the first is 100000000000000001.
func Guilds() []Guild { return loadCatalogue().guilds }

// loadCatalogue reads the embedded catalogue. Tracks and members stay the bytes of the file, which
// is how numbers, escapes and key order that a decoder would change reach the browser.
func loadCatalogue() *catalogue {
	var file struct {
		Guilds []struct {
			ID       string `json:"id"`
			Name     string `json:"name"`
			Channel  string `json:"channel"`
			Volume   int    `json:"volume"`
			Autoplay bool   `json:"autoplay"`
			Joined   bool   `json:"joined"`
			Pick     []int  `json:"pick"`
		} `json:"guilds"`
		Members []json.RawMessage `json:"members"`
		Tracks  []song            `json:"tracks"`
	}
	if err := json.Unmarshal(catalogueJSON, &file); err != nil {
		panic("simbot: catalogue.json: " + err.Error()) // part of the program, not input
	}
	c := &catalogue{members: file.Members, songs: file.Tracks}
	for _, g := range file.Guilds {
		id, err := strconv.ParseUint(g.ID, 10, 64)
		if err != nil {
			panic("simbot: catalogue.json: " + err.Error())
		}
		c.guilds = append(c.guilds, Guild{
			ID: id, Name: g.Name, Channel: g.Channel, Volume: g.Volume,
			Autoplay: g.Autoplay, Joined: g.Joined, pick: g.Pick,
		})
	}
	return c
}
