package main

import (
	"context"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bank"
	"github.com/seed-3eec0498/muster/examples/bank/bankpb"
)

// newOwner is a bank that only takes money: the demo brings it, in place of examples/bank.
func newOwner() *muster.Aggregate[*bankpb.Account] {
	account := muster.NewAggregate(bank.Accounts, func() *bankpb.Account { return &bankpb.Account{} })
	muster.Decide(account, bank.Deposit, func(_ context.Context, a *muster.Root[*bankpb.Account], in *bankpb.DepositMoney) (*bankpb.Account, error) {
		bank.Credited.Emit(a, &bankpb.Credited{Amount: in.GetAmount(), Text: in.GetText()})
		return a.State(), nil
	})
	muster.Evolve(account, bank.Credited, func(a *bankpb.Account, e *bankpb.Credited) *bankpb.Account {
		a.Balance += e.GetAmount()
		return a
	})
	muster.Evolve(account, bank.Opened, func(a *bankpb.Account, _ *bankpb.Opened) *bankpb.Account { return a })
	muster.Evolve(account, bank.Debited, func(a *bankpb.Account, _ *bankpb.Debited) *bankpb.Account { return a })
	return account
}
