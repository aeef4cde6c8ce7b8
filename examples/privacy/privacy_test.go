package main_test

import (
	"bytes"
	"strings"
	"testing"

	privacy "github.com/seed-3eec0498/muster/examples/privacy"
)

// The story checks each of its steps; the test sees that all of them were taken.
func TestStory(t *testing.T) {
	var out, errs bytes.Buffer
	if code := privacy.Main(t.Context(), "", &out, &errs); code != 0 {
		t.Fatalf("exit code %d: %s\n%s", code, errs.String(), out.String())
	}
	for _, want := range []string{"1. two people sign up", `"email":"anna@example.org"`, "purged: 6 acknowledgements, 1 key destroyed", "FAILED_PRECONDITION", "8. the erasure is proven", "0 faults"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, out.String())
		}
	}
}
