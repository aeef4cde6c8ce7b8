package script_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster/internal/script"
)

func TestParseCalls(t *testing.T) {
	got, err := script.ParseCalls("# a comment\n\n open(acc-1)\ndeposit(acc-1, 250, id=c2)\nnote(\"a, (b)\", text=\"x=\\ny\")\nquiet()\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []script.Call{
		{Verb: "open", Args: []string{"acc-1"}, Named: map[string]string{}},
		{Verb: "deposit", Args: []string{"acc-1", "250"}, Named: map[string]string{"id": "c2"}},
		{Verb: "note", Args: []string{"a, (b)"}, Named: map[string]string{"text": "x=\ny"}},
		{Verb: "quiet", Named: map[string]string{}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
}

func TestParseCallsRefuses(t *testing.T) {
	for text, part := range map[string]string{
		"open":                "is no call",
		"open(acc-1":          "is no call",
		"open acc(1)":         "is no call",
		"ok()\nbad":           "line 2",
		"deposit(a,)":         "missing after a comma",
		"deposit(\"a\" b)":    "a comma is missing",
		"deposit(id=1, id=2)": "given twice",
	} {
		if _, err := script.ParseCalls(text); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: got %v, want an error with %q", text, err, part)
		}
	}
}

func FuzzParseCalls(f *testing.F) {
	f.Add("deposit(acc-1, 250, id=c2)")
	f.Add("note(\"a, (b)\", text=\"x=\\ny\")")
	f.Fuzz(func(t *testing.T, text string) {
		calls, err := script.ParseCalls(text)
		if err != nil {
			return
		}
		for _, c := range calls {
			if c.Verb == "" || c.Named == nil {
				t.Errorf("%q: got the call %#v", text, c)
			}
		}
	})
}
