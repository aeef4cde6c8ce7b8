package service_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

// What handlers do wrong is the end of their command, not of their partition: a typed refusal, a dead letter, no event, no trace in the
// state. The amount of the deposit says which mistake is made.
func TestBadHandlers(t *testing.T) {
	t.Parallel() // it waits most of the time
	const (
		panics = -iota - 1
		panicsAfterEmit
		emitsTenThousand
		emitsTooMuch
		emitsForeign
		ignoresContext
		honoursContext
		answersTooMuch
	)
	st := newStage(t, kafkatest.Brokers(t), 1)
	elsewhere := newBank(t)
	blob := muster.NewEvent[[]byte](st.group, "bank.Blob")
	hang := make(chan struct{})
	defer close(hang)
	owner := st.owner(func(ctx context.Context, r *muster.Root[*account], in deposit) (account, error) {
		switch in.Amount {
		case panics:
			var none *account
			none.Balance++
		case panicsAfterEmit:
			st.credited.Emit(r, credited{Amount: 500})
			panic("in the middle with a secret")
		case emitsTenThousand:
			for range 10_000 {
				st.credited.Emit(r, credited{Amount: 1})
			}
		case emitsTooMuch:
			for range 6 {
				blob.Emit(r, make([]byte, muster.MaxPayload))
			}
		case emitsForeign:
			elsewhere.credited.Emit(r, credited{Amount: 1})
		case ignoresContext:
			st.credited.Emit(r, credited{Amount: 500})
			<-hang
		case honoursContext:
			st.credited.Emit(r, credited{Amount: 500})
			<-ctx.Done()
			return account{}, ctx.Err()
		case answersTooMuch:
			st.credited.Emit(r, credited{Amount: 500})
			return account{}, errors.New(strings.Repeat("x", 100_000))
		default:
			st.credited.Emit(r, credited(in))
		}
		return *r.State(), nil
	})
	muster.Evolve(owner, blob, func(s *account, _ []byte) *account { return s })
	cfg := st.config()
	cfg.HandlerDeadline = 2 * time.Second // those that do not hang have to be done within it, 10,000 events too, on a busy machine
	s := start(t, cfg, owner)
	for _, c := range []struct {
		amount int64
		name   string
		code   muster.Code
		reason string
	}{
		{panics, "panic", muster.Internal, muster.ReasonPanic},
		{panicsAfterEmit, "panic after an event", muster.Internal, muster.ReasonPanic},
		{emitsTenThousand, "10,000 events", muster.InvalidArgument, muster.ReasonTooManyEvents},
		{emitsTooMuch, "over 4 MiB of events", muster.InvalidArgument, muster.ReasonEventsTooBig},
		{emitsForeign, "an event of another group", muster.Internal, muster.ReasonForeignEvent},
		{ignoresContext, "hangs", muster.DeadlineExceeded, muster.ReasonOverrun},
		{honoursContext, "gives up at the deadline", muster.DeadlineExceeded, muster.ReasonOverrun},
	} {
		id := strings.ReplaceAll(c.name, " ", "-")
		_, err := st.deposit.Call(st.within(), s.Client(), "acc-1", deposit{Amount: c.amount}, muster.CommandID(id))
		if muster.CodeOf(err) != c.code || muster.ReasonOf(err) != c.reason || errors.Is(err, muster.ErrOutcomeUnknown) {
			t.Errorf("%s: %v (reason %q); want %v, %s, a known outcome", c.name, err, muster.ReasonOf(err), c.code, c.reason)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the value of the panic is in the answer: %v", c.name, err)
		}
		got, err := st.deposit.Call(st.within(), s.Client(), "acc-1", deposit{Amount: 1})
		if err != nil || got.Balance > 10 {
			t.Errorf("the command after %s: %+v, %v; want the balance without it", c.name, got, err)
		}
		if n := st.counter("muster_dead_letters_total", map[string]string{"group": st.group.Name(), "reason": c.reason}); n == 0 {
			t.Errorf("%s: not counted as a dead letter of reason %s", c.name, c.reason)
		}
	}
	for i, d := range st.letters(7) {
		if d.Cause.Reason == "" || d.Command.Type != "bank.Deposit" || d.Command.AggregateID != "acc-1" {
			t.Errorf("dead letter %d: %+v", i, d)
		}
	}
	_, err := st.deposit.Call(st.within(), s.Client(), "acc-1", deposit{Amount: answersTooMuch})
	if muster.CodeOf(err) != muster.Unknown {
		t.Errorf("a refusal of 100 kB: code %v; want UNKNOWN", muster.CodeOf(err))
	}
	got, err := st.balance.Call(st.within(), s.Client(), "acc-1", ask{})
	if j := st.journal(); err != nil || int(got.Balance) != j.Len() || j.Len() != 7 {
		t.Errorf("balance %+v, %v, %d events; want 7 deposits of 1 and nothing of the failed ones", got, err, j.Len())
	}
}

// While one handler hangs, aggregates of the same batch and of other batches are served after its deadline; the rest of its own unit runs
// on another goroutine.
func TestBadHandlerHoldsUpNobodyForLong(t *testing.T) {
	t.Parallel() // it waits most of the time
	st := newStage(t, kafkatest.Brokers(t), 1)
	hang := make(chan struct{})
	defer close(hang)
	cfg := st.config()
	cfg.HandlerDeadline, cfg.Workers = time.Second, 2
	s := start(t, cfg, st.owner(func(_ context.Context, r *muster.Root[*account], in deposit) (account, error) {
		if in.Amount < 0 {
			<-hang
		}
		st.credited.Emit(r, credited(in))
		return *r.State(), nil
	}))
	var cmds []*muster.Command
	for i := range 40 {
		amount := int64(1)
		if i%10 == 0 {
			amount = -1
		}
		c, err := st.deposit.New(t.Context(), s.Client(), fmt.Sprint("acc-", i%4), deposit{Amount: amount})
		if err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, c)
	}
	for _, err := range s.Client().SendAll(st.within(), st.group, cmds) {
		if err != nil {
			t.Fatal(err)
		}
	}
	st.letters(4)
	sum := int64(0)
	for i := range 4 {
		got, err := st.balance.Call(st.within(), s.Client(), fmt.Sprint("acc-", i), ask{})
		if err != nil {
			t.Error(err)
		}
		sum += got.Balance
	}
	if sum != 36 {
		t.Errorf("the accounts hold %d; want 36: all but the four that hang", sum)
	}
}
