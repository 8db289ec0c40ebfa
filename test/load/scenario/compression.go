package scenario

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
)

// compression sends the same events to clients that do not offer compression, and to such that do.
func compression(ctx context.Context, r *run) error {
	payload, err := r.payload()
	if err != nil {
		return err
	}
	r.title("%d events of %d bytes to %d clients over %s, first without compression, then with it offered",
		r.Events, len(payload), r.clients, r.Transport)
	body := func(stamp string) string { return fmt.Sprintf(`{"stamp":%q,"payload":%s}`, stamp, payload) }
	var wire [2]float64
	for pass, compress := range []bool{false, true} {
		if wire[pass], err = r.pass(ctx, pass+1, compress, body); err != nil {
			return err
		}
	}
	figures := &r.result.Figures
	figures.Add("payload_bytes", float64(len(payload)))
	figures.Add("wire_bytes_per_delivery", wire[0])
	figures.Add("wire_bytes_per_delivery_compressed", wire[1])
	if wire[1] > 0 {
		figures.Add("compression_ratio", wire[0]/wire[1])
	}
	return nil
}

// pass is one of the two; it returns the bytes on the wire for a delivery, pings and heads included.
func (r *run) pass(ctx context.Context, number int, compress bool, body func(string) string) (wire float64, err error) {
	suffix := map[bool]string{true: "_compressed"}[compress]
	c := r.newCrowd(suffix)
	defer c.disperse()
	c.options.Compress = compress
	if err := c.gather(ctx, r.clients); err != nil {
		return 0, err
	}
	from, err := r.source(ctx, c)
	if err != nil {
		return 0, err
	}
	c.tally.begin(number, r.distribution("delivery"+suffix))
	before := c.traffic.In.Load()
	emitted, err := r.emit(ctx, from, number, r.Events, body)
	expected := int64(emitted) * int64(len(c.members))
	c.await(expected)
	after := c.traffic.In.Load()
	nobody := c.addDeliveries(expected)
	if n := c.tally.delivered.Load(); n > 0 {
		wire = float64(after-before) / float64(n)
	}
	return wire, cmp.Or(err, from.Close(), nobody)
}

// payload is a file's JSON, or a queue of tracks.
func (s *Settings) payload() ([]byte, error) {
	if s.Payload != "" {
		text, err := os.ReadFile(s.Payload)
		if err == nil && !json.Valid(text) {
			err = fmt.Errorf("%s is no JSON", s.Payload)
		}
		if err != nil {
			return nil, fmt.Errorf("payload: %w", err)
		}
		return text, nil
	}
	type track struct {
		Title      string `json:"title"`
		Author     string `json:"author"`
		Identifier string `json:"identifier"`
		Duration   int    `json:"duration"`
		URI        string `json:"uri"`
		ArtworkURL string `json:"artworkUrl"`
		Requester  string `json:"requester"`
	}
	queue := make([]track, 100)
	for i := range queue {
		id := fmt.Sprintf("%011x", (i+1)*0x9E3779B97F4A)
		queue[i] = track{
			fmt.Sprintf("Song number %d of the night", i), fmt.Sprintf("Band %d", i%17), id, 180_000 + i*1234,
			"https://music.example/watch?v=" + id, "https://images.example/" + id + "/hq720.jpg", fmt.Sprint(100_000_000_000_000 + i*7919),
		}
	}
	return json.Marshal(queue)
}
