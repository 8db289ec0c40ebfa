package check

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// stopTakes is the longest that a program's stop may take with the settings' defaults: what docs/settings.md says of them,
// and as many steps as its Run takes.
func stopTakes(t *testing.T, program string) (longest time.Duration) {
	t.Helper()
	page, err := os.ReadFile("../../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## "+program+"\n")
	if !found {
		t.Fatalf("docs/settings.md has no %s", program)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	defaults := map[string]time.Duration{}
	for _, row := range regexp.MustCompile("\\| `--(drain-delay|drain|grace)` [^\n]*? `([0-9]+m?s)` \\|").FindAllStringSubmatch(section, -1) {
		if defaults[row[1]], err = time.ParseDuration(row[2]); err != nil {
			t.Fatal(err)
		}
	}
	run, err := os.ReadFile("../../services/" + program + "/app/run.go")
	if err != nil {
		t.Fatal(err)
	}
	steps := strings.Count(string(run), "stopping.Step(")
	if defaults["grace"] == 0 || steps < 5 || program == "edge" && defaults["drain"] == 0 {
		t.Fatalf("%s: %v, %d steps", program, defaults, steps)
	}
	return defaults["drain-delay"] + defaults["drain"] + time.Duration(steps)*defaults["grace"]
}

// TestGraceCoversTheStop compares how long Kubernetes and Compose wait with what stopping may take.
func TestGraceCoversTheStop(t *testing.T) {
	project, templates := compose(t), pods(render(t, "production"))
	for _, program := range []string{"edge", "fanout"} {
		longest := stopTakes(t, program)
		pod := templates[program]
		hook := pod.Spec.Containers[0].Lifecycle
		if hook == nil || hook.PreStop == nil || hook.PreStop.Sleep == nil {
			t.Errorf("%s: has no preStop", program)
			continue
		}
		first := time.Duration(hook.PreStop.Sleep.Seconds) * time.Second
		if grace := time.Duration(*pod.Spec.TerminationGracePeriodSeconds) * time.Second; grace < first+longest {
			t.Errorf("%s: %s of grace for %s, after %s of preStop", program, grace, longest, first)
		}
		for name, s := range project.Services {
			if strings.HasPrefix(name, program) && (s.StopGracePeriod == nil || time.Duration(*s.StopGracePeriod) < longest) {
				t.Errorf("%s: %v of grace for %s", name, s.StopGracePeriod, longest)
			}
		}
	}
}
