package projector_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// leaked is in the event, and in what the function panics with.
const leaked = "Canary-Pn3"

// What a function panics with may be what it was reading: letters, statuses and logs have the type and the place of the panic, and not its value.
func TestPanicLeavesNoValueBehind(t *testing.T) {
	for name, value := range map[string]any{
		"text": "no account of " + leaked, "error": errors.New(leaked), "payload": noted{leaked}, "pointer": &noted{leaked},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 1, projector.OnFailure(projector.Policy{Tries: 1}))
				r.fails(leaked, func(context.Context) error { panic(value) })
				r.note(0, "a:"+leaked)
				runner, _ := r.start()
				wantState(t, runner, 0, projector.Live, "")
				letters := r.target.Stored(r.shard(0)).Letters
				if len(letters) != 1 || letters[0].Reason != projector.ReasonPanic {
					t.Fatalf("letters %+v", letters)
				}
				cause := letters[0].Cause
				if strings.Contains(cause, leaked) || !strings.Contains(cause, fmt.Sprintf("%T", value)) || !strings.Contains(cause, "panic_test.go:") {
					t.Errorf("the cause is %q; want type and place, and no value", cause)
				}
				if strings.Contains(r.logs.String(), leaked) {
					t.Errorf("the log has it: %s", r.logs)
				}
			})
		})
	}
}

// The same where an index function panics: what it says becomes the cause of a letter, or of a shard that stops.
func TestPanicOfAnIndexLeavesNoValueBehind(t *testing.T) {
	v := projector.NewView[noted]("people")
	projector.Index(v, "name", func(_ string, row noted) []string { panic("cannot index " + row.Text) })
	s := openStore(t, projector.StoreConfig{Views: []projector.AnyView{v}})
	h := claim(t, s, shardOf(v, 0))
	b, err := h.Begin(t.Context())
	noError(t, err)
	b.Before(&projector.Running{ID: "e"})
	noError(t, v.Hand(b.Tx()).Update("1", func(noted) noted { return noted{leaked} }))
	err = b.Commit(t.Context(), projector.Change{})
	if muster.CodeOf(err) != muster.InvalidArgument || strings.Contains(err.Error(), leaked) || !strings.Contains(err.Error(), "string in ") {
		t.Errorf("the commit gives %v", err)
	}
	b.Rollback()
}
