package redisbus

import (
	"encoding/json"
	"reflect"
	"strings"
)

// object reads a JSON object into the struct that into points to. Keys mean what they mean to JavaScript:
// encoding/json by itself also takes "OPTS" for "opts", and so an order for nobody for one to everybody.
func object(text []byte, into any) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(text, &values); err != nil {
		return err
	}
	v := reflect.ValueOf(into).Elem()
	for i := range v.NumField() {
		key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if value, is := values[key]; is {
			if err := json.Unmarshal(value, v.Field(i).Addr().Interface()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *packet) UnmarshalJSON(text []byte) error          { return object(text, p) }
func (o *options) UnmarshalJSON(text []byte) error         { return object(text, o) }
func (f *flags) UnmarshalJSON(text []byte) error           { return object(text, f) }
func (s *socket) UnmarshalJSON(text []byte) error          { return object(text, s) }
func (r *classicRequest) UnmarshalJSON(text []byte) error  { return object(text, r) }
func (r *classicResponse) UnmarshalJSON(text []byte) error { return object(text, r) }
func (m *shardedMessage) UnmarshalJSON(text []byte) error  { return object(text, m) }
func (e *shardedEvent) UnmarshalJSON(text []byte) error    { return object(text, e) }
func (o *shardedOrder) UnmarshalJSON(text []byte) error    { return object(text, o) }
func (v *shardedValue) UnmarshalJSON(text []byte) error    { return object(text, v) }
