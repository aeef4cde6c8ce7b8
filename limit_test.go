package muster_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-3eec0498/muster"
)

// padding gives the text that makes an event of the bank take n bytes.
func padding(n int) string { return strings.Repeat("x", n-len(`{"text":""}`)) }

func TestEventLimits(t *testing.T) {
	for name, test := range map[string]struct {
		sizes  []int
		reason string
	}{
		"900 KiB":          {sizes: []int{muster.MaxPayload}},
		"one byte more":    {sizes: []int{100, muster.MaxPayload + 1, 100}, reason: muster.ReasonTooLarge},
		"4 MiB":            {sizes: []int{muster.MaxPayload, muster.MaxPayload, muster.MaxPayload, muster.MaxPayload, 4<<20 - 4*muster.MaxPayload}},
		"4 MiB and a byte": {sizes: []int{muster.MaxPayload, muster.MaxPayload, muster.MaxPayload, muster.MaxPayload, 4<<20 - 4*muster.MaxPayload + 1}, reason: muster.ReasonEventsTooBig},
	} {
		t.Run(name, func(t *testing.T) {
			w := newHooked(t, func(_ context.Context, b *bank, root *muster.Root[account], _ order) (account, error) {
				for _, size := range test.sizes {
					b.Credited.Emit(root, moved{Text: padding(size)})
				}
				return account{}, nil
			})
			f := w.do(command("deposit", "acc-1", "c1", order{Amount: 1}), command("hooked", "acc-1", "c2", order{}), command("deposit", "acc-1", "c3", order{Amount: 1}))
			o, want := f.outcome(t, "c2", 0), 2+len(test.sizes)
			if test.reason != "" {
				want = 2
				if o.Code != muster.InvalidArgument || o.Reason != test.reason {
					t.Errorf("got %s %s %q", o.Code, o.Reason, o.Message)
				}
			} else if o.Code != muster.OK {
				t.Errorf("got %s %s %q", o.Code, o.Reason, o.Message)
			}
			if len(f.decision.Events) != want {
				t.Errorf("%d events, want %d", len(f.decision.Events), want)
			}
			if state, revision := w.state("acc-1"); revision != uint64(1+want) || state.Balance != 2 || state.Entries != 1+want {
				t.Errorf("state %+v at revision %d", state, revision)
			}
		})
	}
}

// A handler that swallows nothing and goes on after a fault gains nothing: the command is refused as a whole.
func TestFaultOfOneEventRefusesTheCommand(t *testing.T) {
	w := newHooked(t, func(_ context.Context, b *bank, root *muster.Root[account], _ order) (account, error) {
		b.Credited.Emit(root, moved{Amount: 1})
		b.Credited.Emit(root, moved{Amount: math.NaN()})
		b.Credited.Emit(root, moved{Amount: 1})
		return account{}, nil
	})
	f := w.do(command("hooked", "acc-1", "c1", order{}), command("balance", "acc-1", "q1", order{}))
	if o := f.outcome(t, "c1", 0); o.Code != muster.Internal || o.Reason != muster.ReasonBadResult {
		t.Errorf("got %s %s", o.Code, o.Reason)
	}
	if o := f.outcome(t, "q1", 0); o.Revision != 1 || len(f.decision.Events) != 0 {
		t.Errorf("revision %d, events %v", o.Revision, f.decision.Events)
	}
}

// The message of an answer is cut at 4 KiB and arrives as valid UTF-8 whatever the handler wrote: field 2 is a protobuf string, which
// readers in other languages refuse otherwise.
func TestMessageOfAnAnswerIsValidText(t *testing.T) {
	for name, text := range map[string]string{
		"cut inside a character": "x" + strings.Repeat("é", 4<<10), "no UTF-8": "bad \xff byte", "short": "all well é",
	} {
		t.Run(name, func(t *testing.T) {
			o, err := muster.DecodeOutcome((&muster.Outcome{Code: muster.NotFound, Message: text}).Encode(nil))
			if err != nil {
				t.Fatal(err)
			}
			if !utf8.ValidString(o.Message) || len(o.Message) > 4<<10 || len(o.Message) < 4 {
				t.Errorf("%d bytes, valid %v", len(o.Message), utf8.ValidString(o.Message))
			}
			if name == "short" && o.Message != text {
				t.Errorf("got %q", o.Message)
			}
		})
	}
}

// Produced bounds a round: what is not taken belongs to a later batch, and the decision does not speak of it.
func TestRoundEndsAtItsBound(t *testing.T) {
	w := newWorld(t, newBank().Account.Behaviour())
	batch := w.batch(
		command("open", "a", "c1", order{Text: strings.Repeat("x", 5000)}), command("open", "b", "c2", order{}),
		command("open", "c", "c3", order{}), command("open", "d", "c4", order{}))
	round, err := w.p.Begin(batch, nil)
	if err != nil {
		t.Fatal(err)
	}
	slices := 0
	for units := round.Slice(2); len(units) > 0; units = round.Slice(2) {
		w.run(units)
		if slices++; round.Produced() >= 5000 {
			break
		}
	}
	d := round.Decision()
	if slices != 1 || round.Taken() != 2 || len(d.Events) != 2 || d.Offsets[0].Next != 2 {
		t.Errorf("%d slices, %d taken, %d events, offsets %v", slices, round.Taken(), len(d.Events), d.Offsets)
	}
	if f := w.commit(round, d); len(f.replies) != 2 || len(f.changes[0].States) != 2 {
		t.Errorf("replies %v, changes %v", f.replies, f.changes)
	}
	if f := w.do(batch.Commands[2:]...); len(f.decision.Events) != 2 {
		t.Errorf("the rest: %v", f.decision.Events)
	}
}

func TestBatchOfAPartitionThatIsNotHeld(t *testing.T) {
	w := newWorld(t, newBank().Account.Behaviour())
	opened(w, "acc-1")
	w.p.Drop(0)
	if _, err := w.p.Begin(w.batch(command("deposit", "acc-1", "c1", order{})), nil); !errors.Is(err, muster.ErrNotHeld) || !strings.Contains(err.Error(), "accounts[0]") {
		t.Errorf("Begin: %v", err)
	}
	if _, err := w.p.Replay(0, nil, 9); !errors.Is(err, muster.ErrNotHeld) || !strings.Contains(err.Error(), "accounts[0]") {
		t.Errorf("Replay: %v", err)
	}
}

// A store that cannot be read is no refusal: the round fails, nothing of it may be committed, and it is decided again later.
func TestStoreFailureFailsTheRound(t *testing.T) {
	w := newWorld(t, newBank().Account.Behaviour())
	opened(w, "acc-1")
	w.restart()
	w.store.failLoad = errors.New("disk gone")
	batch := w.batch(command("deposit", "acc-1", "c1", order{Amount: 1}), command("deposit", "acc-1", "c2", order{Amount: 1}))
	round, err := w.p.Begin(batch, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.run(round.Slice(1))
	if err := round.Err(); !errors.Is(err, w.store.failLoad) || !strings.Contains(err.Error(), "accounts[0]") {
		t.Errorf("Err: %v", err)
	}
	if units := round.Slice(1); units != nil {
		t.Errorf("a failed round gives out %d units", len(units))
	}
	round.Abort()
	w.store.failLoad = nil
	_, decision := w.decide(batch, nil)
	if len(decision.Events) != 2 || len(decision.Dead) != 0 {
		t.Errorf("decided again: %+v", decision)
	}
}

// Stored bytes that cannot be read name their aggregate: the partition is rebuilt from the journal.
func TestCorruptStateIsAStateFault(t *testing.T) {
	w := newWorld(t, newBank().Account.Behaviour())
	opened(w, "acc-1")
	w.restart()
	state := w.store.states[storeKey(0, "acc-1")]
	state.Data = []byte("{secret")
	w.store.states[storeKey(0, "acc-1")] = state
	round, err := w.p.Begin(w.batch(command("deposit", "acc-1", "c1", order{Amount: 1})), nil)
	if err != nil {
		t.Fatal(err)
	}
	w.run(round.Slice(1))
	fault, ok := errors.AsType[*muster.StateFault](round.Err())
	if !ok || fault.AggregateID != "acc-1" || fault.Partition != 0 || strings.Contains(fault.Error(), "secret") {
		t.Errorf("got %v", round.Err())
	}
}

// A refusal whose details are over 64 KiB is given once; its repeat is the same refusal without them, and says so.
func TestHugeRefusalIsNotStored(t *testing.T) {
	w := newHooked(t, func(context.Context, *bank, *muster.Root[account], order) (account, error) {
		return account{}, muster.Errorf(muster.OutOfRange, "no").With(wrapperspb.String(strings.Repeat("x", 70<<10)))
	})
	f := w.do(command("hooked", "acc-1", "c1", order{}))
	if o := f.outcome(t, "c1", 0); o.Code != muster.OutOfRange || len(o.Details) != 1 || o.Omitted {
		t.Errorf("first: %s, %d details, omitted %v", o.Code, len(o.Details), o.Omitted)
	}
	if stored := f.changes[0].Answers[0].Outcome; len(stored) > muster.MaxStoredAnswer {
		t.Errorf("%d bytes are stored", len(stored))
	}
	if o := w.do(command("hooked", "acc-1", "c1", order{})).outcome(t, "c1", 0); o.Code != muster.OutOfRange || o.Message != "no" || len(o.Details) != 0 || !o.Omitted || !o.Repeated {
		t.Errorf("repeat: %+v", o)
	}
}

// An event that nothing folds is refused, also where it was declared after the service had opened.
func TestEventWithoutEvolveIsRefused(t *testing.T) {
	var late *muster.EventType[moved]
	w := newHooked(t, func(_ context.Context, b *bank, root *muster.Root[account], _ order) (account, error) {
		b.Credited.Emit(root, moved{Amount: 1})
		late.Emit(root, moved{Amount: 1})
		return root.State(), nil
	})
	late = muster.NewEvent[moved](w.behaviour.Group(), "Late")
	f := w.do(command("hooked", "acc-1", "c1", order{}))
	if o := f.outcome(t, "c1", 0); o.Code != muster.Internal || !strings.Contains(o.Message, "Late") || len(f.decision.Events) != 0 {
		t.Errorf("%s %q, %d events", o.Code, o.Message, len(f.decision.Events))
	}
}
