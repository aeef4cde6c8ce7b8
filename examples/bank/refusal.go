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

// openAgain is refused by the business: the account is there.
func (d *desk) openAgain(id string) stage.Step {
	return stage.NewStep("open", id+" once more", func(ctx context.Context) (string, error) {
		_, err := bank.Open.Call(ctx, d.Client(), id, &bankpb.OpenAccount{Holder: "somebody else"})
		return refused(err, muster.AlreadyExists)
	})
}

// overdraw is refused by the business, with facts a program can use.
func (d *desk) overdraw(id string, amount, balance int64) stage.Step {
	return stage.NewStep("withdraw", fmt.Sprintf("%s, %s, too much", id, money(amount)), func(ctx context.Context) (string, error) {
		_, err := bank.Withdraw.Call(ctx, d.Client(), id, &bankpb.WithdrawMoney{Amount: amount, Text: "too much"})
		text, err2 := refused(err, muster.FailedPrecondition)
		if err2 != nil {
			return "", err2
		}
		overdraft, found := muster.DetailOf[*bankpb.Overdraft](err)
		if !found || overdraft.GetBalance() != balance || overdraft.GetMissing() != amount-balance {
			return "", fmt.Errorf("the refusal has the details %v, want balance %s and missing %s", overdraft, money(balance), money(amount-balance))
		}
		d.teller.Detail("%-41s details: balance %s, missing %s", "", money(overdraft.GetBalance()), money(overdraft.GetMissing()))
		return text, nil
	})
}

// conflict withdraws on the condition that nothing has happened since a revision that is no longer the last.
func (d *desk) conflict(id string, amount int64, expected, actual uint64) stage.Step {
	return stage.NewStep("withdraw", fmt.Sprintf("%s, %s, if at revision %d", id, money(amount), expected), func(ctx context.Context) (string, error) {
		in := &bankpb.WithdrawMoney{Amount: amount, Text: "decided on old facts"}
		_, err := bank.Withdraw.Call(ctx, d.Client(), id, in, muster.ExpectRevision(expected))
		if !errors.Is(err, muster.ErrConflict) {
			return "", fmt.Errorf("want a conflict, got %w", err)
		}
		if got, known := muster.ConflictOf(err); !known || got != actual {
			return "", fmt.Errorf("the conflict tells revision %d, want %d", got, actual)
		}
		return fmt.Sprintf("conflict: it is at revision %d", actual), nil
	})
}
