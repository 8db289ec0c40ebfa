package docs

import (
	"bytes"
	"flag"
	"testing"

	"github.com/pona-realtime/pona/pkg/settings"
	edge "github.com/pona-realtime/pona/services/edge/app"
	fanout "github.com/pona-realtime/pona/services/fanout/app"
)

var update = flag.Bool("update", false, "write what is generated instead of comparing it")

const settingsPage = "../../docs/settings.md"

const settingsHead = `# Settings

Every setting of both services, made by ` + "`make docs`" + ` from what the programs declare. Each is a flag, an environment
variable, or a key of the YAML file that ` + "`--config`" + ` names (the flag's name without dashes; nested keys are joined with
a hyphen); the first that is there wins. A duration is written ` + "`500ms`, `25s` or `2m`; a size `15000000`, `15MB` or `15MiB`" + `;
a list with commas. A setting that does not exist, or has an impossible value, stops the start with one line that names it.

`

// TestSettingsPageIsCurrent compares docs/settings.md with the programs; -update writes it.
func TestSettingsPageIsCurrent(t *testing.T) {
	var page bytes.Buffer
	page.WriteString(settingsHead)
	if err := settings.Markdown(&page, edge.Program, &edge.Settings{}); err != nil {
		t.Fatal(err)
	}
	page.WriteString("\n")
	if err := settings.Markdown(&page, fanout.Program, &fanout.Settings{}); err != nil {
		t.Fatal(err)
	}
	compare(t, settingsPage, page.Bytes())
}
