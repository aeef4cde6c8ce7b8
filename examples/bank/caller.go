package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/internal/stage"
)

// callAccounts is the role of a caller: it does its business with an owner in another process.
func callAccounts(ctx context.Context, set settings, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	fmt.Fprintf(out, "A customer of the bank. Broker: %s, topics %s*\n", strings.Join(set.brokers, ","), set.prefix)
	t := stage.NewTeller(out, 10, 41)
	d, err := openDesk(ctx, set, t)
	if err != nil {
		return err
	}
	err = d.business(ctx)
	if err == nil {
		err = t.Chapter(ctx, "What the journal says", d.statement(d.ada, 175_00, 4), d.statement(d.bob, 40_00, 2))
	}
	if stopped := d.Stop(); err == nil {
		err = stopped
	}
	if err == nil {
		fmt.Fprintf(out, "\nAll %d checks held.\n", t.Steps())
	}
	return err
}

// business is what a caller does with an owner it only knows by the contract.
func (d *desk) business(ctx context.Context) error {
	t := d.teller
	if err := t.Chapter(ctx, "Money moves",
		d.open(d.ada, "Ada"),
		d.open(d.bob, "Bob"),
		d.deposit(d.ada, 250_00, "salary", 250_00, 2),
		d.deposit(d.bob, 40_00, "pocket money", 40_00, 2),
		d.withdraw(d.ada, 100_00, "rent", 150_00, 3),
	); err != nil {
		return err
	}
	if err := t.Chapter(ctx, "The owner says no",
		d.openAgain(d.ada),
		d.overdraw(d.ada, 500_00, 150_00),
		d.conflict(d.ada, 10_00, 2, 3),
	); err != nil {
		return err
	}
	if err := t.Chapter(ctx, "The answer got lost, so the caller asks again",
		d.sendGift(175_00, 4),
		d.repeatGift(175_00, 4),
		d.reuseGift(),
		d.balance(d.ada, 175_00, 4),
	); err != nil {
		return err
	}
	first := d.order("transfer-1", d.eve, d.fay, 50_00, "flowers")
	return t.Chapter(ctx, "Money goes from one account to another",
		d.open(d.eve, "Eve"),
		d.open(d.fay, "Fay"),
		d.deposit(d.eve, 300_00, "inheritance", 300_00, 2),
		d.transfer(first, 250_00),
		d.repeatTransfer(first, 250_00),
		d.refuseTransfer(d.order("transfer-2", d.eve, d.fay, 999_00, "a car"), muster.FailedPrecondition),
		d.bounce(d.order("transfer-3", d.eve, "nobody"+d.mark, 70_00, "a typo"), muster.NotFound),
		d.balance(d.eve, 250_00, 5),
		d.together(300_00, d.eve, d.fay),
	)
}
