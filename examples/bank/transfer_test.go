package main_test

import (
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	program "github.com/seed-3eec0498/muster/examples/bank"
	"github.com/seed-3eec0498/muster/examples/bank/bank"
	"github.com/seed-3eec0498/muster/examples/bank/bankpb"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/service"
)

// The owner of the accounts is away when a transfer is asked for. The caller is told that the outcome is open; sent again under the same id
// when the accounts are back, the transfer is done once.
func TestATransferWithoutAnswersIsFinishedUnderItsID(t *testing.T) {
	brokers, prefix := kafkatest.Brokers(t), kafkatest.UniqueName(t, "bank-away")+"."
	start := func(name, dir string, parts ...service.Part) (*service.Service, func()) {
		t.Helper()
		svc, stop, err := program.Start(t.Context(), service.Config{Name: name, Brokers: brokers, Prefix: prefix, DataDir: dir, CallTimeout: 30 * time.Second}, parts...)
		if err != nil {
			t.Fatal(err)
		}
		return svc, func() {
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
	}
	disk := t.TempDir()
	_, stopAccounts := start("accounts", disk, program.Accounts())
	desk, stopDesk := start("desk", "")
	defer stopDesk()
	_, stopTransfers := start("transfers", t.TempDir(), program.Transfers())
	defer stopTransfers()
	ctx, client := t.Context(), desk.Client()
	for _, id := range []string{"ada", "bob"} {
		if _, err := bank.Open.Call(ctx, client, id, &bankpb.OpenAccount{Holder: id}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := bank.Deposit.Call(ctx, client, "ada", &bankpb.DepositMoney{Amount: 100}); err != nil {
		t.Fatal(err)
	}
	stopAccounts()

	order := &bankpb.TransferMoney{From: "ada", To: "bob", Amount: 60}
	_, err := bank.Transfer.Call(ctx, client, "t-1", order, muster.CommandID("t-1"), muster.Timeout(500*time.Millisecond))
	t.Logf("without accounts: %v", err)
	if code := muster.CodeOf(err); code != muster.DeadlineExceeded {
		t.Errorf("without accounts: %v, want DEADLINE_EXCEEDED", err)
	}

	_, stopAccounts = start("accounts", disk, program.Accounts())
	defer stopAccounts()
	payer, err := bank.Transfer.Call(ctx, client, "t-1", order, muster.CommandID("t-1"))
	if err != nil || payer.GetBalance() != 40 {
		t.Errorf("with accounts again: %v, %v, want a balance of 40", payer, err)
	}
	for id, want := range map[string]int64{"ada": 40, "bob": 60} {
		account, err := bank.Balance.Call(ctx, client, id, &bankpb.GetBalance{})
		if err != nil || account.GetBalance() != want {
			t.Errorf("%s has %v, %v, want %d", id, account, err, want)
		}
	}
}
