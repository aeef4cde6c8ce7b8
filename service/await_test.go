package service_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
)

// Await finds an event by its cause, its conversation, its type or a predicate, whether it comes later or lies behind a position.
func TestAwait(t *testing.T) {
	st := newStage(t, anyBrokers(t), 3)
	owner := st.open()
	caller := start(t, callerOf(st))
	ctx := st.within()

	end, err := caller.JournalEnd(ctx, st.group)
	if err != nil || len(end) != 3 {
		t.Fatalf("end: %v, %v", end, err)
	}
	if _, err := st.deposit.Send(ctx, caller.Client(), "acc-1", deposit{Amount: 7}, muster.CommandID("c-1"), muster.Correlation("talk")); err != nil {
		t.Fatal(err)
	}
	st.deposits("noise", 20, 5, 1, owner)
	for name, opt := range map[string]muster.ReadOption{
		"cause": muster.CausedBy("c-1"), "conversation": muster.Correlated("talk"),
		"predicate": muster.Where(func(e *muster.Event) bool { return e.ID == "c-1/0" }),
	} {
		e, m, err := st.credited.Await(ctx, caller, muster.After(end...), opt)
		if err != nil || e.Amount != 7 || m.AggregateID != "acc-1" {
			t.Errorf("%s: %+v, %+v, %v", name, e, m, err)
		}
	}
	var receipt muster.Receipt
	if _, err := st.deposit.Call(ctx, caller.Client(), "acc-1", deposit{Amount: 8}, muster.ReceiptTo(&receipt)); err != nil {
		t.Fatal(err)
	}
	if _, err := st.withdraw.Call(ctx, caller.Client(), "acc-1", withdraw{Amount: 1}); err != nil {
		t.Fatal(err)
	}
	ev, err := muster.Await(ctx, caller, st.group, muster.OfAggregates("acc-1"), muster.After(receipt.Position))
	if err != nil || ev.Type != "bank.Debited" {
		t.Errorf("behind a receipt: %+v, %v", ev, err)
	}

	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, _, err = st.debited.Await(short, caller, muster.CausedBy("nobody"))
	if muster.CodeOf(err) != muster.DeadlineExceeded || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nothing came: %v", err)
	}
	if _, err := muster.Await(ctx, caller, st.group, muster.FromEarliest(), muster.UntilEnd(), muster.CausedBy("nobody")); muster.CodeOf(err) != muster.NotFound {
		t.Errorf("nothing is there: %v", err)
	}
}
