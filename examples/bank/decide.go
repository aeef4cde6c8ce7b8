package main

import (
	"context"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bank"
	"github.com/seed-3eec0498/muster/examples/bank/bankpb"
)

// account is what a decide function is given.
type account = muster.Root[*bankpb.Account]

func open(_ context.Context, a *account, in *bankpb.OpenAccount) (*bankpb.Account, error) {
	if a.Revision() > 0 {
		return nil, muster.Errorf(muster.AlreadyExists, "account %s exists", a.ID())
	}
	if in.GetHolder() == "" {
		return nil, muster.Errorf(muster.InvalidArgument, "an account needs a holder")
	}
	bank.Opened.Emit(a, &bankpb.Opened{Holder: in.GetHolder()})
	return a.State(), nil
}

func deposit(_ context.Context, a *account, in *bankpb.DepositMoney) (*bankpb.Account, error) {
	if err := movable(a, in.GetAmount()); err != nil {
		return nil, err
	}
	bank.Credited.Emit(a, &bankpb.Credited{Amount: in.GetAmount(), Text: in.GetText()})
	return a.State(), nil // the event is folded already
}

func withdraw(_ context.Context, a *account, in *bankpb.WithdrawMoney) (*bankpb.Account, error) {
	if err := movable(a, in.GetAmount()); err != nil {
		return nil, err
	}
	if missing := in.GetAmount() - a.State().GetBalance(); missing > 0 {
		return nil, muster.Errorf(muster.FailedPrecondition, "account %s is short of %s", a.ID(), money(missing)).
			With(&bankpb.Overdraft{Balance: a.State().GetBalance(), Missing: missing})
	}
	bank.Debited.Emit(a, &bankpb.Debited{Amount: in.GetAmount(), Text: in.GetText()})
	return a.State(), nil
}

// movable refuses what neither a deposit nor a withdrawal can be.
func movable(a *account, amount int64) error {
	if a.Revision() == 0 {
		return unknownAccount(a.ID())
	}
	if amount <= 0 {
		return muster.Errorf(muster.InvalidArgument, "an amount is above zero, not %s", money(amount))
	}
	return nil
}

func unknownAccount(id string) error {
	return muster.Errorf(muster.NotFound, "account %s does not exist", id)
}
