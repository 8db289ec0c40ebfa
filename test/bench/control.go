package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// plan is what a peer is asked to emit: event i goes to room of namespace /guild/<first + i % guilds>,
// no earlier than (i − i % burst) / rate seconds after the first, with one text as argument: the
// stamp and bodies[i % len(bodies)]. A peer with a control port takes it as POST /emit, and answers
// when all is emitted.
type plan struct {
	Event  string   `json:"event"`
	Room   string   `json:"room"`
	Run    int      `json:"run"`   // 1 to 99
	First  uint64   `json:"first"` // guild id
	Guilds int      `json:"guilds"`
	Count  int      `json:"count"` // events
	Rate   float64  `json:"rate"`  // events a second
	Burst  int      `json:"burst"` // events at a time
	Bodies []string `json:"bodies"`
}

// due is when event i may be emitted, after the first.
func (p plan) due(i int) time.Duration {
	return time.Duration(float64(i-i%p.Burst) / p.Rate * float64(time.Second))
}

var client = &http.Client{Timeout: time.Minute}

// postPlan has a control port carry out a plan.
func postPlan(control string, p plan) error {
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return post(control, "/emit", body)
}

func post(address, path string, body []byte) error {
	response, err := client.Post("http://"+address+path, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 300 {
		err = fmt.Errorf("%s%s: %s %.200s", address, path, response.Status, text)
	}
	return err
}

// answers says whether a GET has an answer of 200.
func answers(url string) bool {
	response, err := client.Get(url)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode == http.StatusOK
}

// mallocs asks a Go program's /debug/vars how many objects it has allocated; 0 where it has none.
func mallocs(address string) uint64 {
	response, err := client.Get("http://" + address + "/debug/vars")
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	var vars struct {
		Memstats struct{ Mallocs uint64 }
	}
	if json.NewDecoder(response.Body).Decode(&vars) != nil {
		return 0
	}
	return vars.Memstats.Mallocs
}
