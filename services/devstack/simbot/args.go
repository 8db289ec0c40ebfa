package simbot

import (
	"encoding/json"
	"fmt"
)

// decode reads the arguments into the given pointers: as many as there are pointers, each of its
// type. Surplus nulls are ignored; a client that passes undefined writes them.
func (c command) decode(into ...any) error {
	n := len(c.args)
	for n > len(into) && string(c.args[n-1]) == "null" {
		n--
	}
	if n != len(into) {
		return fmt.Errorf("%s takes %d arguments, got %d", c.name, len(into), n)
	}
	for i, target := range into {
		if string(c.args[i]) == "null" {
			return fmt.Errorf("argument %d of %s is null", i+1, c.name)
		}
		if err := json.Unmarshal(c.args[i], target); err != nil {
			return fmt.Errorf("argument %d of %s is no %s", i+1, c.name, expected(target))
		}
	}
	return nil
}

// expected names in a listener's words what a pointer can take.
func expected(target any) string {
	switch target.(type) {
	case *int:
		return "whole number"
	case *float64:
		return "number"
	case *string, *repeat:
		return "text"
	case *[]string:
		return "list of texts"
	default:
		return "object"
	}
}
