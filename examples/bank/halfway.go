package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bank"
	"github.com/seed-3eec0498/muster/examples/internal/stage"
)

// What the story says to the first owner, and hears from it.
const (
	holdWord    = "hold"      // to the owner: go no further with any transfer than to its middle
	holdingLine = "holding"   // from the owner: from now on I do
	halfwayLine = "halfway: " // from the owner: this transfer has been withdrawn, and not deposited
)

// halfway keeps transfers between withdrawal and deposit once it is told to, so that a crash finds them there. Only stories need that.
type halfway struct {
	out   io.Writer
	armed atomic.Bool // set by listen, read by the handlers
}

// listen obeys what comes in until that ends.
func (h *halfway) listen(in io.Reader) {
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if lines.Text() == holdWord {
			h.armed.Store(true)
			fmt.Fprintln(h.out, holdingLine)
		}
	}
}

func (h *halfway) wait(ctx context.Context, id string) error {
	if !h.armed.Load() {
		return nil
	}
	fmt.Fprintln(h.out, halfwayLine+id)
	<-ctx.Done()
	return ctx.Err()
}

// cutShort sends a transfer and returns when it is between withdrawal and deposit.
func (d *desk) cutShort(owner *child, o order) stage.Step {
	return stage.NewStep("send", o.String(), func(ctx context.Context) (string, error) {
		if err := owner.say(ctx, holdWord, holdingLine); err != nil {
			return "", err
		}
		if _, err := bank.Transfer.Send(ctx, d.Client(), o.id, o.message(), muster.CommandID(o.id)); err != nil {
			return "", err
		}
		return "it is between withdrawal and deposit", owner.hear(ctx, halfwayLine+o.id)
	})
}

// send sends transfers and waits for no outcome.
func (d *desk) send(orders []order) stage.Step {
	return stage.NewStep("send", fmt.Sprintf("%s to %s, %d more of %s", orders[0].from, orders[0].to, len(orders), money(orders[0].amount)), func(ctx context.Context) (string, error) {
		commands := make([]*muster.Command, len(orders))
		for i, o := range orders {
			var err error
			if commands[i], err = bank.Transfer.New(ctx, d.Client(), o.id, o.message(), muster.CommandID(o.id)); err != nil {
				return "", err
			}
		}
		return "durable; nobody waits for the outcome", errors.Join(d.Client().SendAll(ctx, bank.Transfers, commands)...)
	})
}

// finish sends the same transfers again, as a caller does that has no answer.
func (d *desk) finish(orders []order) stage.Step {
	return stage.NewStep("retry", fmt.Sprintf("the %d transfers with the same ids", len(orders)), func(ctx context.Context) (string, error) {
		for _, o := range orders {
			if _, err := o.call(ctx, d); err != nil {
				return "", fmt.Errorf("transfer %s: %w", o.id, err)
			}
		}
		return "done, all of them", nil
	})
}
