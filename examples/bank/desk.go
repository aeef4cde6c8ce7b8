package main

import (
	"context"
	"fmt"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bank"
	"github.com/seed-3eec0498/muster/examples/bank/bankpb"
	"github.com/seed-3eec0498/muster/examples/internal/stage"
)

// desk is a customer of the owner: a service that owns nothing and has a client.
type desk struct {
	*stage.Running
	teller             *stage.Teller
	ada, bob, eve, fay string // account ids
	mark               string // at the end of every id
}

func openDesk(ctx context.Context, set settings, t *stage.Teller) (*desk, error) {
	svc, err := stage.Start(ctx, set.service("desk"))
	if err != nil {
		return nil, err
	}
	return &desk{
		Running: svc, teller: t, ada: "ada" + set.mark, bob: "bob" + set.mark, eve: "eve" + set.mark, fay: "fay" + set.mark, mark: set.mark,
	}, nil
}

func (d *desk) open(id, holder string) stage.Step {
	return stage.NewStep("open", id, func(ctx context.Context) (string, error) {
		var r muster.Receipt
		account, err := bank.Open.Call(ctx, d.Client(), id, &bankpb.OpenAccount{Holder: holder}, muster.ReceiptTo(&r))
		return done(account, err, r.Revision, 0, 1)
	})
}

func (d *desk) deposit(id string, amount int64, text string, balance int64, revision uint64, opts ...muster.CallOption) stage.Step {
	return stage.NewStep("deposit", fmt.Sprintf("%s, %s, %s", id, money(amount), text), func(ctx context.Context) (string, error) {
		var r muster.Receipt
		in := &bankpb.DepositMoney{Amount: amount, Text: text}
		account, err := bank.Deposit.Call(ctx, d.Client(), id, in, append(opts, muster.ReceiptTo(&r))...)
		return done(account, err, r.Revision, balance, revision)
	})
}

func (d *desk) withdraw(id string, amount int64, text string, balance int64, revision uint64) stage.Step {
	return stage.NewStep("withdraw", fmt.Sprintf("%s, %s, %s", id, money(amount), text), func(ctx context.Context) (string, error) {
		var r muster.Receipt
		in := &bankpb.WithdrawMoney{Amount: amount, Text: text}
		account, err := bank.Withdraw.Call(ctx, d.Client(), id, in, muster.ReceiptTo(&r))
		return done(account, err, r.Revision, balance, revision)
	})
}

// balance asks the owner; the answer has seen everything that was answered before.
func (d *desk) balance(id string, balance int64, revision uint64) stage.Step {
	return stage.NewStep("query", "balance of "+id, func(ctx context.Context) (string, error) {
		var r muster.Receipt
		account, err := bank.Balance.Call(ctx, d.Client(), id, &bankpb.GetBalance{}, muster.ReceiptTo(&r))
		return done(account, err, r.Revision, balance, revision)
	})
}
