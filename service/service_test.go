package service_test

import (
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/service"
)

// A command goes in, an event comes out, the caller gets the outcome; a repeat gets the same one.
func TestCommandToReply(t *testing.T) {
	b := newBank(t, muster.Partitions(3))
	s := start(t, service.Config{Name: kafkatest.UniqueName(t, "bank"), Brokers: kafkatest.Brokers(t), DataDir: t.TempDir()}, b.owner(nil))
	ctx := t.Context()
	var receipt muster.Receipt
	got, err := b.deposit.Call(ctx, s.Client(), "acc-1", deposit{Amount: 250}, muster.CommandID("c-1"), muster.ReceiptTo(&receipt))
	if err != nil || got.Balance != 250 {
		t.Fatalf("deposit: %+v, %v; want a balance of 250", got, err)
	}
	if receipt.Revision != 1 || receipt.Repeated || receipt.Position.Topic != b.group.JournalTopic("") {
		t.Errorf("receipt %+v; want revision 1, not repeated, a place in the journal", receipt)
	}
	again, err := b.deposit.Call(ctx, s.Client(), "acc-1", deposit{Amount: 250}, muster.CommandID("c-1"), muster.ReceiptTo(&receipt))
	if err != nil || again.Balance != 250 || !receipt.Repeated || receipt.Revision != 1 {
		t.Errorf("repeat: %+v, %v, receipt %+v; want the answer of the first", again, err, receipt)
	}
	_, err = b.withdraw.Call(ctx, s.Client(), "acc-1", withdraw{Amount: 300})
	if muster.CodeOf(err) != muster.FailedPrecondition {
		t.Errorf("overdraft: %v; want FAILED_PRECONDITION", err)
	}
	state, err := b.balance.Call(ctx, s.Client(), "acc-1", ask{})
	if err != nil || state.Balance != 250 {
		t.Errorf("balance: %+v, %v; want 250", state, err)
	}
}
