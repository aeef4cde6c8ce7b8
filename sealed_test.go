package muster_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/seed-3eec0498/muster"
)

func TestSealedWhereverItLies(t *testing.T) {
	p := newPeople()
	w := p.world(t)
	f := w.do(p.command(t, 0, "p-1", "c1", "Canary Marker"))
	if o := f.outcome(t, "c1", 0); o.Code != muster.OK || o.ContentType != muster.ContentSealed {
		t.Fatalf("got %+v", o)
	}
	stored, err := w.store.Load(0, "p-1")
	if err != nil {
		t.Fatal(err)
	}
	e := w.journal.events[0][0]
	for what, data := range map[string][]byte{
		"event": e.Payload, "stored answer": e.Answer, "state": stored.Data, "remembered": f.changes[0].Answers[0].Outcome, "reply": f.outcome(t, "c1", 0).Encode(nil),
	} {
		if len(data) == 0 || bytes.Contains(data, []byte("Canary")) {
			t.Errorf("the %s is not sealed: %q", what, data)
		}
	}
	if e.ContentType != muster.ContentSealed {
		t.Errorf("an event of content type %s", e.ContentType)
	}
	if s, revision := p.stored(t, w, "p-1"); s.Name != "Canary Marker" || revision != 1 {
		t.Errorf("got %+v at %d", s, revision)
	}
	w.rebuild(10)
	if s, _ := p.stored(t, w, "p-1"); s.Name != "Canary Marker" {
		t.Errorf("after a rebuild: %+v", s)
	}
}

// TestSealedRepeatIsTheSameCommand has a sender try again: its second sealing has other bytes.
func TestSealedRepeatIsTheSameCommand(t *testing.T) {
	p := newPeople()
	w := p.world(t)
	w.do(p.command(t, 0, "p-1", "c1", "Ada"))
	if o := w.do(p.command(t, 0, "p-1", "c1", "Ada")).outcome(t, "c1", 0); o.Code != muster.OK || !o.Repeated {
		t.Errorf("a repeat that was sealed anew: %s %s", o.Code, o.Message)
	}
	other := p.command(t, 0, "p-1", "c1", "Ada")
	plain := command("sign", "p-1", "c1", order{Text: "another plan"})
	other.Payload, other.ContentType = plain.Payload, plain.ContentType
	if o := w.do(other).outcome(t, "c1", 0); o.Reason != muster.ReasonIDReused {
		t.Errorf("another command under the id: %s %s", o.Code, o.Reason)
	}
}

func TestFaultOfACommand(t *testing.T) {
	for fault, want := range map[muster.PayloadFault]struct {
		code muster.Code
		dead int
	}{
		muster.FaultMissing: {muster.DataLoss, 1}, muster.FaultTampered: {muster.DataLoss, 1}, muster.FaultFormat: {muster.InvalidArgument, 1},
		muster.FaultErased: {muster.FailedPrecondition, 0},
	} {
		t.Run(fault.Reason(), func(t *testing.T) {
			p := newPeople()
			w := p.world(t)
			bad, good := p.command(t, 0, "p-1", "c1", "Ada"), p.command(t, 0, "p-2", "c2", "Bob")
			sealed := bytes.Clone(bad.Payload)
			p.codec.Fail("p-1", fault)
			f := w.do(bad, good)
			if o := f.outcome(t, "c1", 0); o.Code != want.code || o.Reason != fault.Reason() || o.Retry {
				t.Errorf("got %s %s: %s", o.Code, o.Reason, o.Message)
			}
			if o := f.outcome(t, "c2", 0); o.Code != muster.OK {
				t.Errorf("the next one does not proceed: %s", o.Message)
			}
			if got := len(f.decision.Dead); got != want.dead {
				t.Fatalf("%d dead letters, want %d", got, want.dead)
			}
			if want.dead == 1 && !bytes.Equal(f.decision.Dead[0].Command.Payload, sealed) {
				t.Error("the letter does not hold the sealed original")
			}
		})
	}
}

func TestFaultThatPassesPausesThePartition(t *testing.T) {
	for _, fault := range []muster.PayloadFault{muster.FaultUnavailable, muster.FaultNoAccess} {
		p := newPeople()
		w := p.world(t)
		cmd := p.command(t, 2, "p-1", "c1", "Ada")
		p.codec.Fail("p-1", fault)
		err := roundError(t, w, cmd)
		wait, is := errors.AsType[*muster.PayloadWait](err)
		if !is || wait.Partition != 2 || muster.PayloadFaultOf(err) != fault {
			t.Fatalf("%s: got %v", fault.Reason(), err)
		}
		p.codec.Mend("p-1")
		if o := w.do(cmd).outcome(t, "c1", 0); o.Code != muster.OK || o.Revision != 1 {
			t.Errorf("afterwards: %+v", o)
		}
	}
}

// TestQueryIsToldOfAnOutage: a query has no effect that would have to wait.
func TestQueryIsToldOfAnOutage(t *testing.T) {
	p := newPeople()
	w := p.world(t)
	w.do(p.command(t, 0, "p-1", "c1", "Ada"))
	query := p.command(t, 0, "p-1", "q1", "")
	query.Type, query.ContentType, query.Payload = "look", muster.ContentJSON, []byte("{}")
	w.restart() // so that the state must be opened
	p.codec.Fail("p-1", muster.FaultUnavailable)
	f := w.do(query)
	if o := f.outcome(t, "q1", 0); o.Code != muster.Unavailable || !o.Retry || o.Reason != muster.ReasonKeyUnavailable || len(f.decision.Dead) > 0 {
		t.Errorf("got %+v", o)
	}
}

func TestFaultOfAStoredState(t *testing.T) {
	for _, fault := range []muster.PayloadFault{muster.FaultUnavailable, muster.FaultMissing, muster.FaultTampered, muster.FaultFormat, muster.FaultNoAccess} {
		p := newPeople()
		w := p.world(t)
		w.do(p.command(t, 0, "p-1", "c1", "Ada"))
		w.restart()
		w.takeUnread(0)
		plain := p.command(t, 0, "p-1", "c2", "")
		p.codec.Fail("p-1", fault)
		plain.ContentType, plain.Payload = muster.ContentJSON, []byte(`{"plan":"silver"}`)
		err := roundError(t, w, plain)
		_, waits := errors.AsType[*muster.PayloadWait](err)
		_, state := errors.AsType[*muster.StateFault](err)
		if muster.PayloadFaultOf(err) != fault || waits != fault.Passing() || !state {
			t.Errorf("%s: got %v", fault.Reason(), err)
		}
	}
}

func TestFaultOfAnEventInTheJournal(t *testing.T) {
	for _, fault := range []muster.PayloadFault{muster.FaultUnavailable, muster.FaultMissing, muster.FaultTampered, muster.FaultFormat, muster.FaultNoAccess} {
		p := newPeople()
		w := p.world(t)
		w.do(p.command(t, 0, "p-1", "c1", "Ada"))
		w.store = newStore()
		w.restart()
		w.takeUnread(0)
		p.codec.Fail("p-1", fault)
		_, err := w.p.Replay(0, w.journal.events[0], w.journal.end[0])
		if _, is := errors.AsType[*muster.FoldFault](err); !is || muster.PayloadFaultOf(err) != fault {
			t.Errorf("%s: got %v", fault.Reason(), err)
		}
	}
}

func TestPlainCodecNamesWhatIsSealed(t *testing.T) {
	p := newPeople()
	cmd := p.command(t, 0, "p-1", "c1", "Ada")
	for _, content := range []string{muster.ContentSealed, ""} {
		for _, into := range []any{&personIn{}, &muster.Raw{}} {
			err := muster.PlainCodec{}.Decode(muster.Place{Type: "sign", ContentType: content}, cmd.Payload, into)
			if err == nil && content == "" {
				continue
			}
			if muster.PayloadFaultOf(err) != muster.FaultFormat || err.Error() == "" {
				t.Errorf("%q into %T: got %v", content, into, err)
			}
		}
	}
}
