package script_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster/internal/script"
)

func TestRun(t *testing.T) {
	worlds := 0
	script.Run(t, "testdata", func(*testing.T) map[string]script.Verb {
		worlds++
		sum := 0
		return map[string]script.Verb{"add": func(s *script.Step) string {
			for _, c := range s.Calls {
				sum += len(c.Args)
			}
			return strings.Repeat(s.Text("mark", "."), sum) + fmt.Sprint(" loud=", s.Has("loud"))
		}}
	})
	if worlds != 1 {
		t.Errorf("%d worlds were made for one file", worlds)
	}
}
