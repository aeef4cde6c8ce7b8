package muster_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
)

// question asks an owner for the result of a command.
func question(aggregate, about string) muster.Command {
	c := command(muster.ResultQuery, aggregate, "ask-"+about, order{})
	c.Payload, c.ContentType = []byte(about), muster.ContentRaw
	return c
}

// recalled gives what a question was answered with; nil for unknown.
func recalled(t *testing.T, f *effects, about string) *muster.Outcome {
	t.Helper()
	answer := f.outcome(t, "ask-"+about, 0)
	if answer.Code != muster.OK {
		t.Fatalf("the question was refused: %s %s", answer.Code, answer.Message)
	}
	if len(answer.Payload) == 0 {
		return nil
	}
	o, err := muster.DecodeOutcome(answer.Payload)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// An answer is found in the same batch, in a later one, after a restart and, but for refusals, after the loss of the store; always with
// the place of its event.
func TestResultOfTheOwner(t *testing.T) {
	for _, slice := range []int{0, 1} {
		w := newWorld(t, newBank().Account.Behaviour())
		w.slice = slice
		opened(w, "acc-1")
		f := w.do(
			question("acc-1", "late"), // it lies before the command it asks for
			command("deposit", "acc-1", "late", order{Amount: 5}), command("withdraw", "acc-1", "no", order{Amount: 50}),
			question("acc-1", "no"), command("deposit", "acc-1", "late", order{Amount: 5}),
		)
		if o := recalled(t, f, "late"); o != nil {
			t.Errorf("slice %d: the result of a later command: %+v", slice, o)
		}
		if o := recalled(t, f, "no"); o == nil || o.Code != muster.FailedPrecondition {
			t.Errorf("slice %d: the refusal of this batch: %+v", slice, o)
		}
		check := func(when string, refused bool) {
			t.Helper()
			f := w.do(question("acc-1", "late"), question("acc-1", "no"), question("acc-1", "never"))
			o := recalled(t, f, "late")
			if o == nil || o.Revision != 2 || o.Position != (muster.Position{Topic: "accounts.events", Offset: 2}) {
				t.Errorf("slice %d, %s: %+v", slice, when, o)
			}
			if got := recalled(t, f, "no"); (got != nil) != refused {
				t.Errorf("slice %d, %s: the refusal: %+v", slice, when, got)
			}
			if got := recalled(t, f, "never"); got != nil {
				t.Errorf("slice %d, %s: an id that never was: %+v", slice, when, got)
			}
			if f.decision.Writes() {
				t.Errorf("slice %d, %s: a question wrote %+v", slice, when, f.decision)
			}
		}
		check("later", true)
		w.restart()
		check("after a restart", true)
		w.rebuild(3)
		check("after the loss of the store", false)
	}
}

// Asked in the very batch, the answer has the place of the event, which is known only once the batch is committed.
func TestResultInTheSameBatch(t *testing.T) {
	w := newWorld(t, newBank().Account.Behaviour())
	f := w.do(command("open", "acc-1", "o", order{}), command("open", "acc-2", "p", order{}), question("acc-2", "p"), question("acc-1", "p"))
	want := f.outcome(t, "p", 0)
	if got := recalled(t, f, "p"); got == nil || got.Position != want.Position || want.Position.IsZero() || got.Revision != 1 || decoded(t, got).Entries != 1 {
		t.Errorf("%+v, the reply itself was %+v", got, want)
	}
	if second := f.outcome(t, "ask-p", 1); len(second.Payload) != 0 {
		t.Errorf("asked of another aggregate of the batch: %+v", second)
	}
}

// What has no lasting answer is unknown: such a command may be sent again and is decided anew.
func TestResultOfWhatIsNotKept(t *testing.T) {
	w := newWorld(t, newBank().Account.Behaviour())
	opened(w, "acc-1")
	f := w.do(command("busy", "acc-1", "b", order{}), command("explode", "acc-1", "x", order{}), question("acc-1", "b"), question("acc-1", "x"))
	for _, id := range []string{"b", "x"} {
		if got := recalled(t, f, id); got != nil {
			t.Errorf("%s: %+v", id, got)
		}
	}
	bad := question("acc-1", "")
	if got := w.do(bad).outcome(t, "ask-", 0); got.Code != muster.InvalidArgument {
		t.Errorf("a question for no id: %s", got.Code)
	}
}

// A command that waits for another try is not decided: the question waits behind it, and its caller is told "pending".
func TestResultOfWhatWaits(t *testing.T) {
	b := newBank()
	b.Hook = func(_ context.Context, root *muster.Root[account], _ order) (account, error) {
		if root.Revision() == 0 {
			return account{}, muster.RetryLater(errors.New("down"))
		}
		return root.State(), nil
	}
	w := newWorld(t, b.Account.Behaviour())
	f := w.do(command("hooked", "acc-1", "h", order{}), question("acc-1", "h"), question("acc-2", "h"))
	if len(f.replies) != 1 || len(f.decision.Offsets[0].Waiting) != 2 {
		t.Fatalf("%d replies; consumed: %+v", len(f.replies), f.decision.Offsets)
	}
	if got := f.outcome(t, "ask-h", 0); len(got.Payload) != 0 {
		t.Errorf("the other aggregate answers %+v", got)
	}
}

// The caller's side: done with a value, done with a refusal, unknown, pending, not asked.
func TestResultOfTheCaller(t *testing.T) {
	b := newBank()
	var c *muster.Client
	answer := func(cmd *muster.Command, o *muster.Outcome) {
		reply := &muster.Outcome{CommandID: cmd.ID, ContentType: "application/vnd.muster.outcome"}
		if o != nil {
			reply.Payload = o.Encode(nil)
		}
		c.Deliver(reply)
	}
	c, _ = newClient(func(_ context.Context, cmd *muster.Command) error {
		if cmd.Type != muster.ResultQuery || cmd.AggregateID != "acc-1" {
			t.Errorf("sent %s to %s", cmd.Type, cmd.AggregateID)
		}
		switch string(cmd.Payload) {
		case "done":
			answer(cmd, result(t, "done", 5))
		case "refused":
			answer(cmd, &muster.Outcome{Code: muster.NotFound, Message: "none"})
		case "large":
			answer(cmd, &muster.Outcome{Omitted: true, Revision: 3})
		case "never":
			answer(cmd, nil)
		case "older owner":
			c.Deliver(&muster.Outcome{CommandID: cmd.ID, Code: muster.Unimplemented, Reason: muster.ReasonNoHandler})
		}
		return nil
	})
	ask := func(id string) (muster.Result[account], error) { return b.Deposit.Result(t.Context(), c, "acc-1", id) }
	if r, err := ask("done"); err != nil || r.State != muster.ResultDone || r.Value.Balance != 5 || r.Refusal != nil || r.Receipt.Revision != 7 || r.Receipt.CommandID != "done" {
		t.Errorf("done: %+v, %v", r, err)
	}
	if r, err := ask("refused"); err != nil || r.State != muster.ResultDone || muster.CodeOf(r.Refusal) != muster.NotFound || !r.Refusal.Remote {
		t.Errorf("refused: %+v, %v", r, err)
	}
	if r, err := ask("large"); err != nil || r.State != muster.ResultDone || !r.Omitted {
		t.Errorf("omitted: %+v, %v", r, err)
	}
	if r, err := ask("never"); err != nil || r.State != muster.ResultUnknown {
		t.Errorf("unknown: %+v, %v", r, err)
	}
	if _, err := ask("older owner"); !errors.Is(err, muster.ErrNoHandler) {
		t.Errorf("an owner that does not know the question: %v", err)
	}
	if _, err := ask(""); muster.CodeOf(err) != muster.InvalidArgument {
		t.Errorf("no id: %v", err)
	}
	c.Close()
	if _, err := ask("done"); !errors.Is(err, muster.ErrShuttingDown) {
		t.Errorf("closed: %v", err)
	}
}

// Nobody answers: pending when the question is in the log, an error when it may not be, or when the caller gave up.
func TestResultPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBank()
		c, _ := newClient(nil)
		r, err := b.Deposit.Result(t.Context(), c, "acc-1", "c1", muster.Timeout(time.Second))
		if err != nil || r.State != muster.ResultPending || r.State.String() != "pending" {
			t.Errorf("%+v, %v", r, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := b.Deposit.Result(ctx, c, "acc-1", "c1"); muster.CodeOf(err) != muster.Cancelled {
			t.Errorf("cancelled: %v", err)
		}
		lost := muster.NewClient(muster.ClientConfig{ReplyTo: muster.ReplyTo{Topic: "replies.web"}, Sender: unwritten{}})
		if _, err := b.Deposit.Result(t.Context(), lost, "acc-1", "c1", muster.Timeout(time.Second)); !errors.Is(err, muster.ErrOutcomeUnknown) {
			t.Errorf("not written: %v", err)
		}
	})
}

// unwritten is a sender that gets nothing acknowledged.
type unwritten struct{}

func (unwritten) SendCommands(ctx context.Context, _ *muster.Group, cmds []*muster.Command) []error {
	<-ctx.Done()
	errs := make([]error, len(cmds))
	for i := range errs {
		errs[i] = ctx.Err()
	}
	return errs
}

// The toolkit's own names cannot be declared.
func TestReservedTypes(t *testing.T) {
	g := muster.NewGroup("accounts")
	muster.NewCommand[order, account](g, "muster.Result")
	muster.NewEvent[moved](g, "muster.Moved")
	muster.NewQuery[order, account](g, "mustered") // not the prefix
	err := g.Validate()
	if err == nil {
		t.Fatal("reserved names were taken")
	}
	if joined, ok := err.(interface{ Unwrap() []error }); !ok || len(joined.Unwrap()) != 2 {
		t.Errorf("%v", err)
	}
}
