package settings

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/alecthomas/kong"
)

// nameVariables gives each flag its variable, PREFIX_PING_INTERVAL for --ping-interval. A tag
// env:"-" keeps a flag out of the environment, env:"NAME" gives it another name.
func nameVariables(prefix string, model *kong.Application) {
	for _, flag := range model.Flags {
		names := flag.Envs
		switch {
		case len(names) == 1 && names[0] == "-":
			names = nil
		case len(names) == 0:
			names = []string{prefix + "_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))}
		}
		flag.Envs, flag.Tag.Envs = names, names
	}
}

// Kubernetes gives each container variables about each Service of its namespace, and a Service
// named pona-edge has the prefix PONA_EDGE: "Discovering services", kubernetes.io/docs.
var serviceLink = regexp.MustCompile(`^(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// refuseUnknownVariables looks for variables with the prefix that no setting has.
func refuseUnknownVariables(prefix string, model *kong.Application, environ []string) error {
	var known []string
	for _, flag := range model.Flags {
		known = append(known, flag.Envs...)
	}
	for _, assignment := range environ {
		name, _, _ := strings.Cut(assignment, "=")
		rest, ours := strings.CutPrefix(name, prefix+"_")
		if !ours || slices.Contains(known, name) || serviceLink.MatchString(rest) {
			continue
		}
		return fmt.Errorf("unknown environment variable %s%s", name, suggest(prefix+"_", rest, known))
	}
	return nil
}

// suggest ends an error about the unknown name prefix+rest with the nearest known one, if one is near.
func suggest(prefix, rest string, known []string) string {
	nearest, distance := "", len(rest)/3+1
	for _, k := range known {
		if d := levenshtein.ComputeDistance(prefix+rest, k); d < distance {
			nearest, distance = k, d
		}
	}
	if nearest == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %s?", nearest)
}
