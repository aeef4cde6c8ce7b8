package service_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/service"
)

// replies is what one command id was answered with, as its caller can compare it.
type replies struct {
	balance  int64
	revision uint64
	position muster.Position
	code     muster.Code
	repeated bool
}

func (st *stage) ask(s *running, account, id string, amount int64) replies {
	st.t.Helper()
	var receipt muster.Receipt
	got, err := st.deposit.Call(st.within(), s.Client(), account, deposit{Amount: amount}, muster.CommandID(id), muster.ReceiptTo(&receipt))
	return replies{got.Balance, receipt.Revision, receipt.Position, muster.CodeOf(err), receipt.Repeated}
}

// fickle refuses an amount that is negative; what it says about one of zero it counts in how often it was asked.
func (st *stage) fickle(asked *int64) *muster.Aggregate[*account] {
	return st.owner(func(_ context.Context, r *muster.Root[*account], in deposit) (account, error) {
		if in.Amount < 0 {
			*asked++ // the one partition of these tests has one lane
			return account{}, muster.Errorf(muster.FailedPrecondition, "refused for the time %d", *asked)
		}
		st.credited.Emit(r, credited(in))
		return *r.State(), nil
	})
}

// The same id is one command: in one batch, in later ones, after a restart with and without local state, and at another instance. The
// answer is the first one, place and revision included. A refusal is remembered where the store lives, and decided anew elsewhere, as
// documented: it writes no event.
func TestLifeSameID(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	var asked int64
	cfg := st.config()
	cfg.Metrics = nil
	s := start(t, cfg, st.fickle(&asked))
	caller := start(t, callerOf(st))

	var batch []*muster.Command
	for range 50 {
		c, err := st.deposit.New(t.Context(), caller.Client(), "acc-1", deposit{Amount: 3}, muster.CommandID("one"))
		if err != nil {
			t.Fatal(err)
		}
		batch = append(batch, c)
	}
	for _, err := range caller.Client().SendAll(st.within(), st.group, batch) {
		if err != nil {
			t.Fatal(err)
		}
	}
	first := st.ask(caller, "acc-1", "one", 3)
	if first.balance != 3 || first.revision != 1 || !first.repeated || first.position.Topic != st.group.JournalTopic("") {
		t.Fatalf("after 50 of the same id: %+v; want one effect, told as a repeat", first)
	}
	st.ask(caller, "acc-1", "two", 4)
	refused := st.ask(caller, "acc-1", "no", -1)
	again := func(where string, wantAsked int64) {
		t.Helper()
		if got := st.ask(caller, "acc-1", "one", 3); got != first {
			t.Errorf("%s: %+v; want the first answer %+v", where, got, first)
		}
		if got := st.ask(caller, "acc-1", "no", -1); got.code != refused.code || refused.code != muster.FailedPrecondition {
			t.Errorf("%s: refusal %+v; want %+v", where, got, refused)
		}
		if asked != wantAsked {
			t.Errorf("%s: the handler refused %d times; want %d", where, asked, wantAsked)
		}
		_, err := st.deposit.Call(st.within(), caller.Client(), "acc-1", deposit{Amount: 99}, muster.CommandID("one"))
		if !errors.Is(err, muster.ErrIDReused) || muster.CodeOf(err) != muster.InvalidArgument {
			t.Errorf("%s: another payload under the id: %v; want ErrIDReused", where, err)
		}
		_, err = st.withdraw.Call(st.within(), caller.Client(), "acc-1", withdraw{Amount: 3}, muster.CommandID("one"))
		if !errors.Is(err, muster.ErrIDReused) {
			t.Errorf("%s: another type under the id: %v; want ErrIDReused", where, err)
		}
	}
	again("later", 1)
	s.end()
	s = start(t, cfg, st.fickle(&asked))
	again("after a restart", 1)
	s.end()
	if err := os.RemoveAll(cfg.DataDir); err != nil {
		t.Fatal(err)
	}
	s = start(t, cfg, st.fickle(&asked))
	again("after the directory was deleted", 2)
	other := st.config()
	other.Metrics = nil
	heir := start(t, other, st.fickle(&asked))
	s.end()
	st.until("the heir serves", func() bool {
		list := heir.Status()
		return len(list) == 1 && list[0].State == service.Serving
	})
	again("at another instance", 3)
	got, err := st.balance.Call(st.within(), caller.Client(), "acc-1", ask{})
	if j := st.journal(); err != nil || got.Balance != 7 || j.Len() != 2 {
		t.Errorf("balance %+v, %v, %d events; want 7 from 2", got, err, j.Len())
	}
	if n := st.deadEnd(); n != 0 {
		t.Errorf("%d dead letters; a reused id is the caller's mistake, not an operator's", n)
	}
}

// A conflict is an answer, too, and the actual revision comes with it; a repeat gets the same although the revision has moved on.
func TestLifeSameIDAfterAConflict(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	s := st.open()
	for i := range 3 {
		st.ask(s, "acc-1", fmt.Sprint("d-", i), 1)
	}
	conflict := func() error {
		_, err := st.deposit.Call(st.within(), s.Client(), "acc-1", deposit{Amount: 1}, muster.CommandID("c"), muster.ExpectRevision(1))
		return err
	}
	for i := range 2 {
		err := conflict()
		if actual, ok := muster.ConflictOf(err); !ok || actual != 3 || !errors.Is(err, muster.ErrConflict) || muster.CodeOf(err) != muster.Aborted {
			t.Errorf("try %d: %v, actual %d; want ABORTED and revision 3", i, err, actual)
		}
		st.ask(s, "acc-1", "between", 1)
	}
	_, err := st.deposit.Call(st.within(), s.Client(), "acc-2", deposit{Amount: 1}, muster.MustNotExist())
	if err != nil {
		t.Errorf("MustNotExist on a new account: %v", err)
	}
	_, err = st.deposit.Call(st.within(), s.Client(), "acc-2", deposit{Amount: 1}, muster.MustNotExist())
	if !errors.Is(err, muster.ErrConflict) {
		t.Errorf("MustNotExist on an old account: %v; want a conflict", err)
	}
}

// A panic is no lasting answer: the same id is decided once the owner is mended.
func TestLifeSameIDAfterAPanic(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	cfg := st.config()
	cfg.Metrics = nil
	s := start(t, cfg, st.owner(func(context.Context, *muster.Root[*account], deposit) (account, error) { panic("not yet written") }))
	if got := st.ask(s, "acc-1", "p", 5); got.code != muster.Internal {
		t.Errorf("broken owner: %+v; want INTERNAL", got)
	}
	s.end()
	s = start(t, cfg, st.owner(nil))
	if got := st.ask(s, "acc-1", "p", 5); got.code != muster.OK || got.balance != 5 || got.repeated {
		t.Errorf("mended owner: %+v; want it decided", got)
	}
}
