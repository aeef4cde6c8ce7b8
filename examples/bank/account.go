package main

import (
	"context"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bank"
	"github.com/seed-3eec0498/muster/examples/bank/bankpb"
)

// newAccount says how accounts behave. Everything in here is a pure function: no clock, no I/O, no memory of its own.
func newAccount() *muster.Aggregate[*bankpb.Account] {
	account := muster.NewAggregate(bank.Accounts, func() *bankpb.Account { return &bankpb.Account{} })

	muster.Decide(account, bank.Open, open)
	muster.Decide(account, bank.Deposit, deposit)
	muster.Decide(account, bank.Withdraw, withdraw)

	muster.Evolve(account, bank.Opened, func(a *bankpb.Account, e *bankpb.Opened) *bankpb.Account {
		a.Holder = e.GetHolder()
		return a
	})
	muster.Evolve(account, bank.Credited, func(a *bankpb.Account, e *bankpb.Credited) *bankpb.Account {
		a.Balance += e.GetAmount()
		return a
	})
	muster.Evolve(account, bank.Debited, func(a *bankpb.Account, e *bankpb.Debited) *bankpb.Account {
		a.Balance -= e.GetAmount()
		return a
	})

	muster.Answer(account, bank.Balance, func(_ context.Context, a muster.State[*bankpb.Account], _ *bankpb.GetBalance) (*bankpb.Account, error) {
		if a.Revision() == 0 {
			return nil, unknownAccount(a.ID())
		}
		return a.Value(), nil
	})
	return account
}
