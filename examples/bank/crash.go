package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bank"
	"github.com/seed-3eec0498/muster/examples/bank/bankpb"
	"github.com/seed-3eec0498/muster/examples/internal/stage"
)

// flood sends deposits and waits for no outcome: each is durable when it returns, decided or not.
func (d *desk) flood(id string, count int, amount int64) stage.Step {
	return stage.NewStep("send", fmt.Sprintf("%s, %d deposits of %s", id, count, money(amount)), func(ctx context.Context) (string, error) {
		commands := make([]*muster.Command, count)
		for i := range commands {
			var err error
			in := &bankpb.DepositMoney{Amount: amount, Text: fmt.Sprintf("coin %d", i+1)}
			if commands[i], err = bank.Deposit.New(ctx, d.Client(), id, in); err != nil {
				return "", err
			}
		}
		if err := errors.Join(d.Client().SendAll(ctx, bank.Accounts, commands)...); err != nil {
			return "", err
		}
		return "durable; nobody waits for the outcome", nil
	})
}

// crash kills the owner's process and takes its disk. Of the flood it may have decided nothing, a part, or all, with a transaction open or not.
func crash(set settings, owner *child, dir string) stage.Step {
	return stage.NewStep("crash", fmt.Sprintf("process %d is killed, its disk is lost", owner.pid()), func(context.Context) (string, error) {
		owner.kill()
		if err := os.RemoveAll(dir); err != nil {
			return "", err
		}
		return fmt.Sprintf("after %v of silence it counts as dead", set.session), nil
	})
}

// takeOver starts another owner, in this process, which knows nothing but the journal.
func takeOver(set settings, dir string, successor **stage.Running) stage.Step {
	return stage.NewStep("takeover", "another owner, with an empty disk", func(ctx context.Context) (string, error) {
		begin := time.Now()
		owner, err := startOwner(ctx, set, dir, "", transfers{})
		if err != nil {
			return "", err
		}
		*successor = owner
		return fmt.Sprintf("ready after %.1f s, state read from the journal", time.Since(begin).Seconds()), nil
	})
}
