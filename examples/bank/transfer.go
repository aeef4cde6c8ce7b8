package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bank"
	"github.com/seed-3eec0498/muster/examples/bank/bankpb"
	"github.com/seed-3eec0498/muster/service"
)

// transfers handles transfers. It holds no state: what it knows of a transfer is what the accounts answer.
type transfers struct {
	// halfway is called between the withdrawal and the deposit. The story crashes there; nil does nothing.
	halfway func(ctx context.Context, id string) error
}

// parts is what the owner of the bank is made of: two groups, two ways to handle commands.
func parts(t transfers) []service.Part {
	return []service.Part{newAccount(), muster.HandleCommand(bank.Transfer, t.transfer)}
}

// transfer moves the money with two commands, each on its account. It may be cut short anywhere and is run again then; the commands get the
// same ids again, derived from the transfer's, so that an account which has done its part only repeats its answer.
func (t transfers) transfer(ctx context.Context, cmd *muster.Command, in *bankpb.TransferMoney, w muster.Writer) (*bankpb.Account, error) {
	switch {
	case in.GetFrom() == in.GetTo():
		return nil, muster.Errorf(muster.InvalidArgument, "a transfer needs two accounts")
	case in.GetAmount() <= 0:
		return nil, muster.Errorf(muster.InvalidArgument, "an amount is above zero, not %s", money(in.GetAmount()))
	}
	payer, err := bank.Withdraw.Call(ctx, w.Client(), in.GetFrom(), &bankpb.WithdrawMoney{Amount: in.GetAmount(), Text: in.GetText()})
	if err != nil {
		return nil, final(err) // nothing has moved
	}
	if t.halfway != nil {
		if err := t.halfway(ctx, cmd.AggregateID); err != nil {
			return nil, unfinished(err)
		}
	}
	_, err = bank.Deposit.Call(ctx, w.Client(), in.GetTo(), &bankpb.DepositMoney{Amount: in.GetAmount(), Text: in.GetText()})
	switch {
	case err == nil:
		done := &bankpb.Transferred{From: in.GetFrom(), To: in.GetTo(), Amount: in.GetAmount()}
		return payer, bank.Transferred.Write(w, done)
	case refusedByOwner(err):
		return nil, giveBack(in, err, w)
	}
	return nil, unfinished(err)
}

// giveBack is the compensation. It is written, not called: the deposit leaves in one transaction with the end of the transfer, so that it is
// never made for a transfer that goes on after all, and never forgotten for one that has ended.
func giveBack(in *bankpb.TransferMoney, refusal error, w muster.Writer) error {
	back := &bankpb.DepositMoney{Amount: in.GetAmount(), Text: in.GetText() + ", given back"}
	if err := bank.Deposit.Write(w, in.GetFrom(), back, muster.NoDeadline()); err != nil {
		return err
	}
	end := &bankpb.GivenBack{From: in.GetFrom(), To: in.GetTo(), Amount: in.GetAmount(), Reason: muster.CodeOf(refusal).String()}
	return bank.GivenBack.WriteError(w, end, refusal)
}

// final passes the word of an account on to the caller; anything else leaves the transfer unfinished.
func final(err error) error {
	if refusedByOwner(err) {
		return err
	}
	return unfinished(err)
}

// refusedByOwner tells the word of an account, which holds for good, from a failure to get one.
func refusedByOwner(err error) bool {
	refusal, typed := errors.AsType[*muster.Error](err)
	return typed && refusal.Remote && refusal.Reason == "" && !refusal.Retry
}

// unfinished has the transfer run again in a while. When its time is over before it is done, it becomes a dead letter, and the caller is told
// to ask again; either way it goes on under the same command id.
func unfinished(cause error) error {
	return muster.RetryLater(fmt.Errorf("the transfer is not finished, send it again with the same command id: %w", cause))
}
