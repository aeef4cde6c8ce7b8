// Package stagetest checks what an example has printed.
package stagetest

import (
	"regexp"
	"testing"
)

// InOrder demands that text has all patterns, each after the one before.
func InOrder(t testing.TB, text string, patterns ...string) {
	t.Helper()
	rest := text
	for _, pattern := range patterns {
		found := regexp.MustCompile(pattern).FindStringIndex(rest)
		if found == nil {
			t.Errorf("nothing like %s in\n%s\nof\n%s", pattern, rest, text)
			return
		}
		rest = rest[found[1]:]
	}
}
