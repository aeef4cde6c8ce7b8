package script

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// Step is one step of a file, in the hands of its verb.
type Step struct {
	T     *testing.T
	Calls []Call // the lines of the step

	verb string
	args map[string]string
	pos  string
}

// Has tells whether a setting is given.
func (s *Step) Has(key string) bool { _, ok := s.args[key]; return ok }

// Text gives a setting, or otherwise when it is not given.
func (s *Step) Text(key, otherwise string) string {
	if v, ok := s.args[key]; ok {
		return v
	}
	return otherwise
}

// Fatalf ends the test, naming file and line of the step.
func (s *Step) Fatalf(format string, args ...any) {
	s.T.Helper()
	s.T.Fatalf(s.pos+": "+s.verb+": "+format, args...)
}

// Verb does one step and tells its effects, one per line.
type Verb func(s *Step) string

// Run makes each .txt file of dir a test: world is called once per file, and gives the verbs that act on it.
func Run(t *testing.T, dir string, world func(t *testing.T) map[string]Verb) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenario in %s (%v); a directory without any tests nothing", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			if text, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(text), "# ") {
				t.Fatalf("%s must begin with a comment that says what must hold (%v)", file, err)
			}
			verbs := world(t)
			datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
				s := &Step{T: t, verb: d.Cmd, args: map[string]string{}, pos: d.Pos}
				for _, arg := range d.CmdArgs {
					s.args[arg.Key] = strings.Join(arg.Vals, ",")
				}
				verb := verbs[d.Cmd]
				if verb == nil {
					s.Fatalf("no such verb")
				}
				if s.Calls, err = ParseCalls(d.Input); err != nil {
					s.Fatalf("%v", err)
				}
				out := verb(s)
				if out != "" && !strings.HasSuffix(out, "\n") {
					out += "\n"
				}
				return out
			})
		})
	}
}
