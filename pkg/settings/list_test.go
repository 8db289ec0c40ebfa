package settings

import (
	"fmt"
	"strings"
	"testing"
)

func TestListHidesSecrets(t *testing.T) {
	s, err := parse(t, "--redis-password=swordfish", "--listen=:9")
	if err != nil {
		t.Fatal(err)
	}
	all, err := List(robot, &s)
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(all); strings.Contains(text, "swordfish") {
		t.Errorf("shows the password: %s", text)
	}
	byName := make(map[string]Setting)
	for _, s := range all {
		byName[s.Name] = s
	}
	if got := byName["redis-password"]; got.Value != "(hidden)" || !got.Secret {
		t.Errorf("got %+v", got)
	}
	want := Setting{Name: "listen", Env: "ROBOT_LISTEN", Group: "Clients", Help: "Address that browsers connect to.", Unit: "host:port", Default: ":8080", Value: ":9"}
	if byName["listen"] != want {
		t.Errorf("got %+v", byName["listen"])
	}
	if s.Listen != ":9" || s.Redis.Password != "swordfish" {
		t.Errorf("listing changed the settings: %+v", s)
	}
}

func TestChanged(t *testing.T) {
	type keys struct {
		Colour string   `default:"red" help:"Colour."`
		Sizes  []int    `default:"1,2" help:"Sizes."`
		Spare  []string `secret:"" help:"Spare keys."`
		Key    string   `secret:"" help:"Key."`
		Shape  string   `default:"round" help:"Shape."`
	}
	changed, err := Changed(robot, &keys{Colour: "red", Sizes: []int{1, 2}, Key: "swordfish"})
	if got := fmt.Sprint(changed); err != nil || got != "map[key:(hidden) shape:]" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestMarkdown(t *testing.T) {
	var out strings.Builder
	if err := Markdown(&out, robot, &robotSettings{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"## robot\n", "\n### Redis\n\n| flag |",
		"| `--redis-mode` | `ROBOT_REDIS_MODE` | single \\| sentinel | `single` | Kind. |\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
