package main

import (
	"context"
	"fmt"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bank"
	"github.com/seed-3eec0498/muster/examples/internal/stage"
)

// statement reads the account's events from the journal. No owner is asked: the journal is the truth, and any service may read it.
func (d *desk) statement(id string, balance int64, revision uint64) stage.Step {
	return stage.NewStep("statement", id+", from the journal", func(ctx context.Context) (string, error) {
		var lines []entry
		var sum int64
		for event, err := range d.History(ctx, bank.Accounts, id) {
			if err != nil {
				return "", err
			}
			line, err := read(d.PayloadCodec(), &event)
			if err != nil {
				return "", err
			}
			sum += line.amount
			lines = append(lines, line)
			if event.Revision != uint64(len(lines)) {
				return "", fmt.Errorf("%s has revision %d, want %d", event.Position(), event.Revision, len(lines))
			}
		}
		if sum != balance || uint64(len(lines)) != revision {
			return "", fmt.Errorf("%d events sum up to %s, want %d and %s", len(lines), money(sum), revision, money(balance))
		}
		list(d.teller, lines)
		return fmt.Sprintf("%9s  in %d events", money(sum), len(lines)), nil
	})
}

// entry is one line of a statement.
type entry struct {
	event  muster.Event
	amount int64
	text   string
}

func read(codec muster.Codec, event *muster.Event) (entry, error) {
	switch event.Type {
	case bank.Opened.Name():
		e, err := bank.Opened.Decode(codec, event)
		return entry{*event, 0, "opened for " + e.GetHolder()}, err
	case bank.Credited.Name():
		e, err := bank.Credited.Decode(codec, event)
		return entry{*event, e.GetAmount(), e.GetText()}, err
	case bank.Debited.Name():
		e, err := bank.Debited.Decode(codec, event)
		return entry{*event, -e.GetAmount(), e.GetText()}, err
	}
	return entry{}, fmt.Errorf("%s: a statement has no line for %s", event.Position(), event.Type)
}

// list writes the lines of a statement below the step in hand, with the balance after each.
func list(t *stage.Teller, lines []entry) {
	balance := int64(0)
	for _, l := range lines {
		balance += l.amount
		t.Detail("%3d  %s  %-13s  %-14s %9s %9s", l.event.Revision, l.event.Time.Local().Format("15:04:05.000"), l.event.Type, l.text,
			money(l.amount), money(balance))
	}
}
