package service

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
)

// ConfigFromEnv reads a configuration from variables of the form MUSTER_CALL_TIMEOUT=10s; docs/configuration.md lists them. environ is what
// os.Environ gives. An empty value is as none. The error joins all faults: values that cannot be read, and variables that begin with
// MUSTER_ and are none of these, with the nearest one that is. Those that Kubernetes makes for a service called muster are passed over, and
// so are those that begin with MUSTER_KAFKA, MUSTER_TEST and MUSTER_SOAK, which belong to the toolkit's own tests.
//
// What cannot come from an environment, such as a logger, is set afterwards.
func ConfigFromEnv(environ []string) (Config, error) {
	var c Config
	var faults []error
	known := map[string]setting{}
	for _, s := range settings() {
		known[s.variable()] = s
	}
	environ = slices.Clone(environ)
	slices.SortStableFunc(environ, func(a, b string) int { // the URL first: what is set beside it wins
		return cmp.Compare(rankOf(a), rankOf(b))
	})
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, variablePrefix) {
			continue
		}
		s, is := known[name]
		switch {
		case !is && foreignVariable(name):
		case !is:
			faults = append(faults, fmt.Errorf("service: variable %s is not known; did you mean %s?", name, nearest(name, known)))
		case value != "":
			if err := s.set(&c, value); err != nil {
				faults = append(faults, fmt.Errorf("service: variable %s: %w", name, err))
			}
		}
	}
	return c, errors.Join(faults...)
}

func rankOf(entry string) int {
	if strings.HasPrefix(entry, variablePrefix+"URL=") {
		return 0
	}
	return 1
}

// foreignVariable tells whether somebody else made a variable.
func foreignVariable(name string) bool {
	for _, start := range []string{"MUSTER_KAFKA", "MUSTER_TEST", "MUSTER_SOAK", "MUSTER_SERVICE_", "MUSTER_PORT"} {
		if strings.HasPrefix(name, start) {
			return true
		}
	}
	return false
}

// RegisterFlags adds a flag for every setting but the secret ones, of the form -call-timeout 10s. A flag that is given wins over what c has
// already, as from [ConfigFromEnv].
func (c *Config) RegisterFlags(flags *flag.FlagSet) {
	for _, s := range settings() {
		usage := s.meaning + " (default: " + s.def + "; " + s.variable() + ")"
		set := func(value string) error { return s.set(c, value) }
		switch {
		case s.secret:
		case s.toggle:
			flags.BoolFunc(s.name, usage, set)
		default:
			flags.Func(s.name, usage, set)
		}
	}
}

// nearest gives the known name with the fewest changes between it and the one that is not known.
func nearest(name string, known map[string]setting) (best string) {
	least := -1
	for candidate := range known {
		d := distance(name, candidate)
		if least < 0 || d < least || d == least && candidate < best {
			best, least = candidate, d
		}
	}
	return best
}

// distance is Levenshtein's: how many characters have to be put in, left out or changed.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := slices.Clone(row)
		row[0] = i + 1
		for j := range len(b) {
			change := last[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, last[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
