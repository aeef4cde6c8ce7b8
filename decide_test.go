package muster_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-3eec0498/muster"
)

// newHooked makes a world whose command "hooked" runs fn on an open account "acc-1".
func newHooked(t *testing.T, fn func(ctx context.Context, b *bank, root *muster.Root[account], in order) (account, error)) *world {
	t.Helper()
	b := newBank()
	b.Hook = func(ctx context.Context, root *muster.Root[account], in order) (account, error) {
		return fn(ctx, b, root, in)
	}
	w := newWorld(t, b.Account.Behaviour())
	opened(w, "acc-1")
	return w
}

func TestPanicTellsNoPayload(t *testing.T) {
	type key struct{ secret string }
	for name, value := range map[string]any{
		"text": "secret text", "error": errors.New("secret error"), "struct": key{"secret"}, "bytes": []byte("secret"), "nil": nil,
	} {
		t.Run(name, func(t *testing.T) {
			w := newHooked(t, func(_ context.Context, b *bank, root *muster.Root[account], _ order) (account, error) {
				b.Credited.Emit(root, moved{Amount: 1})
				panic(value)
			})
			cmd := command("hooked", "acc-1", "c1", order{Text: "secret payload"})
			f := w.do(cmd, command("deposit", "acc-1", "c2", order{Amount: 1}))
			o := f.outcome(t, "c1", 0)
			if o.Code != muster.Internal || o.Reason != muster.ReasonPanic || strings.Contains(o.Message, "secret") {
				t.Errorf("answer: %s %s %q", o.Code, o.Reason, o.Message)
			}
			if !strings.Contains(o.Message, "decide_test.go:") {
				t.Errorf("the message does not name the place: %q", o.Message)
			}
			if len(f.decision.Dead) != 1 {
				t.Fatalf("%d dead letters", len(f.decision.Dead))
			}
			dead := f.decision.Dead[0]
			if dead.Cause.Reason != muster.ReasonPanic || strings.Contains(dead.Cause.Error(), "secret") || !dead.Time.Equal(w.now) {
				t.Errorf("dead letter: %+v at %s", dead.Cause, dead.Time)
			}
			if !bytes.Equal(dead.Command.Payload, cmd.Payload) || dead.Command.ID != "c1" || dead.Command.Offset != 1 {
				t.Errorf("the dead letter does not carry the command as it arrived: %+v", dead.Command)
			}
			if state, revision := w.state("acc-1"); state.Balance != 1 || revision != 2 {
				t.Errorf("state %+v at revision %d, want only the deposit", state, revision)
			}
		})
	}
}

// A runtime error holds no payload and is worth its text.
func TestPanicTellsRuntimeErrors(t *testing.T) {
	w := newHooked(t, func(_ context.Context, _ *bank, _ *muster.Root[account], in order) (account, error) {
		return account{Notes: []string{[]string{"a"}[in.Times]}}, nil
	})
	o := w.do(command("hooked", "acc-1", "c1", order{Times: 7})).outcome(t, "c1", 0)
	if !strings.Contains(o.Message, "index out of range [7] with length 1") {
		t.Errorf("got %q", o.Message)
	}
}

// The fold of an event in hand panics: its command is refused, the partition goes on, because nothing is in the journal yet.
func TestPanicOfTheFoldRefusesTheCommand(t *testing.T) {
	w := newHooked(t, func(_ context.Context, b *bank, root *muster.Root[account], _ order) (account, error) {
		b.Credited.Emit(root, moved{Amount: 1})
		b.Noted.Emit(root, moved{Text: "burst"})
		return account{}, nil
	})
	f := w.do(command("hooked", "acc-1", "c1", order{}), command("deposit", "acc-1", "c2", order{Amount: 5}))
	if o := f.outcome(t, "c1", 0); o.Reason != muster.ReasonPanic || strings.Contains(o.Message, "secret") {
		t.Errorf("answer: %s %q", o.Reason, o.Message)
	}
	if state, revision := w.state("acc-1"); state.Balance != 5 || revision != 2 || len(f.decision.Events) != 1 {
		t.Errorf("state %+v at revision %d, %d events", state, revision, len(f.decision.Events))
	}
}

// Evolve may change a state in place and a handler may answer with it: each answer is the state of its own moment.
func TestResultIsEncodedBeforeTheNextCommand(t *testing.T) {
	g := muster.NewGroup("counters")
	add := muster.NewCommand[*wrapperspb.Int64Value, *wrapperspb.Int64Value](g, "add")
	added := muster.NewEvent[*wrapperspb.Int64Value](g, "Added")
	a := muster.NewAggregate(g, func() *wrapperspb.Int64Value { return &wrapperspb.Int64Value{} })
	muster.Decide(a, add, func(_ context.Context, root *muster.Root[*wrapperspb.Int64Value], in *wrapperspb.Int64Value) (*wrapperspb.Int64Value, error) {
		added.Emit(root, in)
		return root.State(), nil
	})
	muster.Evolve(a, added, func(s, e *wrapperspb.Int64Value) *wrapperspb.Int64Value { s.Value += e.Value; return s })
	w := newWorld(t, a.Behaviour())
	cmd := func(id string, n int64) muster.Command {
		payload, content, err := muster.PlainCodec{}.Encode(nil, muster.Place{}, wrapperspb.Int64(n))
		if err != nil {
			t.Fatal(err)
		}
		return muster.Command{
			Meta:    muster.Meta{ID: id, Type: "add", Group: "counters", AggregateID: "x", ContentType: content},
			Payload: payload, ReplyTo: muster.ReplyTo{Topic: "replies.web"},
		}
	}
	f := w.do(cmd("c1", 1), cmd("c2", 10), cmd("c3", 0), cmd("c1", 1))
	for n, want := range []int64{1, 11, 11, 1} {
		got := &wrapperspb.Int64Value{}
		if err := (muster.PlainCodec{}).Decode(muster.Place{}, f.replies[n].Outcome.Payload, got); err != nil || got.Value != want {
			t.Errorf("answer %d is %d, want %d (%v)", n, got.Value, want, err)
		}
	}
}

func TestMetadataReachesHandlerAndEvents(t *testing.T) {
	var root, fromContext muster.Meta
	w := newHooked(t, func(ctx context.Context, b *bank, r *muster.Root[account], _ order) (account, error) {
		root = *r.Meta()
		fromContext, _ = muster.MetaFrom(ctx)
		if !r.Now().Equal(epoch) {
			t.Errorf("Now is %s, want the time of the batch", r.Now())
		}
		b.Credited.Emit(r, moved{Amount: 1})
		b.Credited.Emit(r, moved{Amount: 2})
		return r.State(), nil
	})
	cmd := command("hooked", "acc-1", "c1", order{})
	cmd.CorrelationID, cmd.CausationID, cmd.TraceParent, cmd.TraceState = "corr", "cause", "00-trace", "vendor=1"
	cmd.Headers = muster.Headers{{Key: "tenant", Value: []byte{0, 255}}, {Key: "tenant", Value: nil}}
	f := w.do(cmd)
	if root.ID != "c1" || root.Revision != 1 || root.Topic != "accounts.commands" || root.Offset != 1 || root.Attempt != 1 || root.CausationID != "cause" {
		t.Errorf("meta of the command: %+v", root)
	}
	if fromContext.ID != root.ID || fromContext.Offset != root.Offset {
		t.Errorf("meta from the context: %+v", fromContext)
	}
	for n, e := range f.decision.Events {
		if e.ID != fmt.Sprintf("c1/%d", n) || e.CausationID != "c1" || e.CorrelationID != "corr" || e.TraceParent != "00-trace" || e.TraceState != "vendor=1" ||
			e.Revision != uint64(n+2) || e.Index != n || e.Count != 2 || e.Last() != (n == 1) || e.Group != "accounts" || e.ContentType != muster.ContentJSON {
			t.Errorf("event %d: %+v", n, e)
		}
		if !slices.EqualFunc(e.Headers, cmd.Headers, func(a, b muster.Header) bool { return a.Key == b.Key && bytes.Equal(a.Value, b.Value) }) {
			t.Errorf("headers of event %d: %v", n, e.Headers)
		}
		if (e.Answer != nil) != e.Last() {
			t.Errorf("event %d: only the last event carries the answer", n)
		}
	}
}

// Meta promises UTC and microseconds: what the journal gives back must be what the owner had.
func TestEventTimesAreWhatTheWireHolds(t *testing.T) {
	w := newWorld(t, newBank().Account.Behaviour())
	w.now = time.Date(2026, 11, 21, 9, 0, 0, 123456789, time.FixedZone("far", 3600))
	f := w.do(command("open", "acc-1", "c1", order{}))
	got := f.decision.Events[0].Time
	if want := time.Date(2026, 11, 21, 8, 0, 0, 123456000, time.UTC); got != want {
		t.Errorf("the event's time is %v, want %v", got, want)
	}
}

func TestWhatAHandlerReturnsIsTheRefusal(t *testing.T) {
	detail, err := structpb.NewStruct(map[string]any{"limit": 3.0})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		err  error
		code muster.Code
		text string
	}{
		"typed":     {muster.Errorf(muster.ResourceExhausted, "at most %d", 3).With(detail), muster.ResourceExhausted, "at most 3"},
		"wrapped":   {fmt.Errorf("outer: %w", muster.Errorf(muster.NotFound, "inner")), muster.NotFound, "inner"},
		"plain":     {errors.New("plain"), muster.Unknown, "plain"},
		"cancelled": {fmt.Errorf("inner call: %w", context.Canceled), muster.Cancelled, "inner call: context canceled"},
		"ok":        {muster.Errorf(muster.OK, "an error is never OK"), muster.Unknown, "an error is never OK"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newHooked(t, func(_ context.Context, b *bank, root *muster.Root[account], _ order) (account, error) {
				b.Credited.Emit(root, moved{Amount: 1})
				return account{}, test.err
			})
			check := func(o *muster.Outcome, repeated bool) {
				t.Helper()
				if o.Code != test.code || o.Message != test.text || o.Revision != 1 || o.Repeated != repeated || o.Payload != nil || !o.Position.IsZero() {
					t.Errorf("got %+v", o)
				}
				if got, ok := muster.DetailOf[*structpb.Struct](o.Err()); ok != (name == "typed") || ok && got.Fields["limit"].GetNumberValue() != 3 {
					t.Errorf("details: %v", o.Details)
				}
			}
			f := w.do(command("hooked", "acc-1", "c1", order{}))
			check(f.outcome(t, "c1", 0), false)
			if len(f.decision.Events)+len(f.decision.Dead) != 0 || f.decision.Writes() {
				t.Errorf("a refusal by the business writes nothing: %+v", f.decision)
			}
			w.restart()
			check(w.do(command("hooked", "acc-1", "c1", order{})).outcome(t, "c1", 0), true)
		})
	}
}

func TestEmitAfterTheReturnPanics(t *testing.T) {
	var kept *muster.Root[account]
	var events *muster.EventType[moved]
	w := newHooked(t, func(_ context.Context, b *bank, root *muster.Root[account], _ order) (account, error) {
		kept, events = root, b.Credited
		return account{}, nil
	})
	f := w.do(command("hooked", "acc-1", "c1", order{}))
	defer func() {
		if recover() == nil {
			t.Error("an event emitted after the return is lost silently")
		}
		if len(f.decision.Events) != 0 {
			t.Errorf("events: %v", f.decision.Events)
		}
	}()
	events.Emit(kept, moved{})
}
