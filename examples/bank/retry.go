package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bank"
	"github.com/seed-3eec0498/muster/examples/bank/bankpb"
	"github.com/seed-3eec0498/muster/examples/internal/stage"
)

// gift is sent three times under one command id and takes effect once.
const (
	giftAmount = 25_00
	giftText   = "birthday"
)

func (d *desk) giftID() string { return "gift-for-" + d.ada }

// sendGift is the first time.
func (d *desk) sendGift(balance int64, revision uint64) stage.Step {
	s := d.deposit(d.ada, giftAmount, giftText, balance, revision, muster.CommandID(d.giftID()))
	s.Text += ", with an id"
	return s
}

// repeatGift sends the same command once more, as a caller does that got no answer. The balance in the answer is that of the first time.
func (d *desk) repeatGift(balance int64, revision uint64) stage.Step {
	return stage.NewStep("retry", "the same deposit with the same id", func(ctx context.Context) (string, error) {
		var r muster.Receipt
		in := &bankpb.DepositMoney{Amount: giftAmount, Text: giftText}
		account, err := bank.Deposit.Call(ctx, d.Client(), d.ada, in, muster.CommandID(d.giftID()), muster.ReceiptTo(&r))
		text, err := done(account, err, r.Revision, balance, revision)
		if err == nil && !r.Repeated {
			err = errors.New("the answer does not say that it is a repeat")
		}
		return text + ", the first answer repeated", err
	})
}

// reuseGift sends another command under the same id, which is a caller's mistake.
func (d *desk) reuseGift() stage.Step {
	return stage.NewStep("mistake", "another amount with the same id", func(ctx context.Context) (string, error) {
		in := &bankpb.DepositMoney{Amount: giftAmount + 1, Text: giftText}
		_, err := bank.Deposit.Call(ctx, d.Client(), d.ada, in, muster.CommandID(d.giftID()))
		if !errors.Is(err, muster.ErrIDReused) {
			return "", fmt.Errorf("want an error that says so, got %w", err)
		}
		return "refused: " + muster.CodeOf(err).String() + ", the id was used for other content", nil
	})
}
