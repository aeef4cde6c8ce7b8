package mustertest_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster/examples/privacy/peoplepb"
	"github.com/seed-3eec0498/muster/mustertest"
)

// Each line that says so is found, by its tags or by the options of a message, and no other line.
func TestPersonalPrintsAreFound(t *testing.T) {
	_ = peoplepb.Person{} // linked
	found, err := mustertest.PersonalPrints(t.Context(), "", []string{"./testdata/prints", "./testdata/printspb"})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, name := range []string{"prints", "printspb"} {
		text, err := os.ReadFile("testdata/" + name + "/" + name + ".go")
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(text), "\n") {
			if strings.HasSuffix(line, "// found") {
				want = append(want, name+".go:"+strconv.Itoa(n+1)+": ")
			}
		}
	}
	if len(found) != len(want) || len(want) != 8 {
		t.Fatalf("found\n%s\nwant %d places: %v", strings.Join(found, "\n"), len(want), want)
	}
	for i, place := range found {
		if !strings.HasPrefix(place, want[i]) || !strings.Contains(place, "Redacted") {
			t.Errorf("place %d is %q, want %s", i, place, want[i])
		}
	}
	if _, err := mustertest.PersonalPrints(t.Context(), "", []string{"./testdata/nothing"}); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("of a package that is not there: %v", err)
	}
}
