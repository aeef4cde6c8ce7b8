package projector_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/projector"
)

type paid struct{ Amount int }

var (
	exampleGroup = muster.NewGroup("accounts", muster.Partitions(1))
	examplePaid  = muster.NewEvent[paid](exampleGroup, "Paid")
)

// A runner is what a service makes of a projection that is given to it as a part. Here all its ports are in memory.
func ExampleOpen() {
	last := mustertest.NewMemoryProjection("last-payment")
	projector.On(last, examplePaid, func(_ context.Context, rows *mustertest.MemoryTx, e paid, m muster.Meta) error {
		rows.Set(m.AggregateID, fmt.Sprint(e.Amount))
		return nil
	})
	journal, target := mustertest.NewMemoryJournal(), mustertest.NewMemoryTarget()
	source := projector.Source{Topic: exampleGroup.JournalTopic("")}
	journal.Append(source, mustertest.NewEvent(examplePaid, "acc-1", paid{250}))

	runner, err := projector.Open(projector.Config{Definition: last.Definition(), Target: target, Journal: journal})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, end := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- runner.Run(ctx) }()

	pos := journal.Append(source, mustertest.NewEvent(examplePaid, "acc-1", paid{99}))
	for err = runner.Await(ctx, pos); errors.Is(err, muster.ErrNotHeld); err = runner.Await(ctx, pos) { // Run has only just begun
		<-time.After(time.Millisecond)
	}
	fmt.Println(err, target.Rows(last.Definition().Shards("")[0]))
	end()
	fmt.Println(<-done)
	// Output:
	// <nil> map[acc-1:99]
	// <nil>
}

// An event fails, and its key is parked: later events of the key wait, all others go on. When the cause is mended, an operator has it retried.
func ExampleOperator_Retry() {
	var broken atomic.Bool
	broken.Store(true)
	last := mustertest.NewMemoryProjection("last-payment", projector.OnFailure(projector.Policy{Tries: 1}))
	projector.On(last, examplePaid, func(_ context.Context, rows *mustertest.MemoryTx, e paid, m muster.Meta) error {
		if broken.Load() && e.Amount < 0 {
			return errors.New("a payment below zero")
		}
		rows.Set(m.AggregateID, fmt.Sprint(e.Amount))
		return nil
	})
	journal, target, control := mustertest.NewMemoryJournal(), mustertest.NewMemoryTarget(), projector.NewMemoryControl()
	source, shard := projector.Source{Topic: exampleGroup.JournalTopic("")}, last.Definition().Shards("")[0]
	for _, e := range []muster.Event{
		mustertest.NewEvent(examplePaid, "acc-1", paid{-5}), mustertest.NewEvent(examplePaid, "acc-1", paid{7}), mustertest.NewEvent(examplePaid, "acc-2", paid{8}),
	} {
		journal.Append(source, e)
	}
	runner, err := projector.Open(projector.Config{Definition: last.Definition(), Target: target, Journal: journal, Control: control})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, end := context.WithCancel(context.Background())
	defer end()
	done := make(chan error)
	go func() { done <- runner.Run(ctx) }()

	operator, err := projector.NewOperator(projector.OperatorConfig{
		Control: control, Definitions: []*projector.Definition{last.Definition()},
		Letters: func(ctx context.Context, _ string, q projector.LetterQuery) ([]projector.Letter, error) {
			return runner.Letters(ctx, q) // the only instance there is
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	all := projector.Scope{Projection: "last-payment"}
	for live := false; !live; { // Run has only just begun
		<-time.After(time.Millisecond)
		status, _ := operator.Status(ctx, all)
		live = len(status) == 1 && status[0].State == projector.Live
	}
	letters, err := operator.Letters(ctx, projector.LetterQuery{Scope: all})
	fmt.Println(target.Rows(shard), err)
	for _, l := range letters {
		fmt.Printf("%s %s %q\n", l.Kind, l.Key, l.Cause)
	}
	_ = operator.Pause(ctx, all) // while the fix is deployed
	broken.Store(false)
	_ = operator.Resume(ctx, all)
	fmt.Println(operator.Retry(ctx, all, "accounts/acc-1"), target.Rows(shard))
	end()
	fmt.Println(<-done)
	// Output:
	// map[acc-2:8] <nil>
	// parked accounts/acc-1 "a payment below zero"
	// waiting accounts/acc-1 ""
	// <nil> map[acc-1:7 acc-2:8]
	// <nil>
}
