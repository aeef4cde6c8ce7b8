package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bank"
	"github.com/seed-3eec0498/muster/examples/bank/bankpb"
	"github.com/seed-3eec0498/muster/examples/internal/stage"
)

// order is a transfer as the caller asks for it. Its id is the aggregate id and the command id, so that it can be sent again.
type order struct {
	id, from, to string
	amount       int64
	text         string
}

func (d *desk) order(number, from, to string, amount int64, text string) order {
	return order{id: number + d.mark, from: from, to: to, amount: amount, text: text}
}

func (o order) message() *bankpb.TransferMoney {
	return &bankpb.TransferMoney{From: o.from, To: o.to, Amount: o.amount, Text: o.text}
}

func (o order) call(ctx context.Context, d *desk, opts ...muster.CallOption) (*bankpb.Account, error) {
	return bank.Transfer.Call(ctx, d.Client(), o.id, o.message(), append(opts, muster.CommandID(o.id))...)
}

func (o order) String() string {
	return fmt.Sprintf("%s to %s, %s, %s", o.from, o.to, money(o.amount), o.text)
}

// transfer moves money; the answer is the account that has paid.
func (d *desk) transfer(o order, balance int64) stage.Step {
	return stage.NewStep("transfer", o.String(), func(ctx context.Context) (string, error) {
		payer, err := o.call(ctx, d)
		return transferred(o, payer, err, balance)
	})
}

// repeatTransfer sends the transfer once more.
func (d *desk) repeatTransfer(o order, balance int64) stage.Step {
	return stage.NewStep("retry", "the same transfer with the same id", func(ctx context.Context) (string, error) {
		var r muster.Receipt
		payer, err := o.call(ctx, d, muster.ReceiptTo(&r))
		text, err := transferred(o, payer, err, balance)
		if err == nil && !r.Repeated {
			err = errors.New("the answer does not say that it is a repeat")
		}
		return text + ", the first answer repeated", err
	})
}

// refuseTransfer expects the word of one of the accounts.
func (d *desk) refuseTransfer(o order, want muster.Code) stage.Step {
	return stage.NewStep("transfer", o.String(), func(ctx context.Context) (string, error) {
		_, err := o.call(ctx, d)
		return refused(err, want)
	})
}

// bounce expects that the money was taken, could not be delivered, and is on its way back.
func (d *desk) bounce(o order, want muster.Code) stage.Step {
	s := d.refuseTransfer(o, want)
	refuse := s.Do
	s.Do = func(ctx context.Context) (string, error) {
		text, err := refuse(ctx)
		if err != nil {
			return "", err
		}
		last := ""
		for event, err := range d.History(ctx, bank.Transfers, o.id) {
			if err != nil {
				return "", err
			}
			last = event.Type
		}
		if last != bank.GivenBack.Name() {
			return "", fmt.Errorf("the last event of transfer %s is %q, want %s", o.id, last, bank.GivenBack.Name())
		}
		d.teller.Detail("%-41s the money is given back", "")
		return text, nil
	}
	return s
}

// together adds up balances. Transfers do not change the sum, whatever has happened to them.
func (d *desk) together(want int64, ids ...string) stage.Step {
	return stage.NewStep("sum", strings.Join(ids, " and "), func(ctx context.Context) (string, error) {
		var sum int64
		for _, id := range ids {
			account, err := bank.Balance.Call(ctx, d.Client(), id, &bankpb.GetBalance{})
			if err != nil {
				return "", err
			}
			sum += account.GetBalance()
		}
		if sum != want {
			return "", fmt.Errorf("the balances sum up to %s, want %s", money(sum), money(want))
		}
		return fmt.Sprintf("%9s  together", money(sum)), nil
	})
}

func transferred(o order, payer *bankpb.Account, err error, balance int64) (string, error) {
	if err != nil {
		return "", fmt.Errorf("want balance %s, got the error %w", money(balance), err)
	}
	if payer.GetBalance() != balance {
		return "", fmt.Errorf("%s has %s left, want %s", o.from, money(payer.GetBalance()), money(balance))
	}
	return fmt.Sprintf("%9s  left", money(balance)), nil
}
