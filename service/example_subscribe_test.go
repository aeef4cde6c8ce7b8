package service_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/service"
)

// brewing runs a service with a broker and a directory of its own; end stops all of it.
func brewing(parts ...service.Part) (svc *service.Service, end func()) {
	ctx := context.Background()
	broker, err := embedded.Start(ctx, embedded.Config{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	dir, err := os.MkdirTemp("", "coffee")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	svc, err = service.Open(ctx, service.Config{Name: "coffee", Brokers: broker.Brokers(), DataDir: dir}, parts...)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	running, finish := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- svc.Run(running) }()
	return svc, func() {
		finish()
		if err := <-ended; err != nil {
			fmt.Println(err)
		}
		broker.Close()
		_ = os.RemoveAll(dir)
	}
}

// A subscription among the parts of a service runs as long as the service does. It is handled at least once, so what it does should bear a
// repeat: here the event's id is noted.
func Example_subscription() {
	bills := make(chan string, 1)
	billing := muster.NewSubscription(coffee, "billing",
		muster.On(poured, func(_ context.Context, e cups, m muster.Meta) error {
			bills <- fmt.Sprintf("%s: %d cups, event %s at %v", m.AggregateID, e.Cups, m.ID, m.Position())
			return nil
		}))
	svc, end := brewing(barista(), billing)
	defer end()
	if _, err := pour.Call(context.Background(), svc.Client(), "table-4", pouring{Cups: 2}, muster.CommandID("c-1")); err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-bills)
	// Output:
	// table-4: 2 cups, event c-1/0 at coffee.events[1]@0
}

// History up to now, read once; nothing is kept of it in Kafka.
func ExampleService_Subscribe() {
	svc, end := brewing(barista())
	defer end()
	ctx := context.Background()
	for range 3 {
		if _, err := pour.Call(ctx, svc.Client(), "table-4", pouring{Cups: 2}); err != nil {
			fmt.Println(err)
		}
	}
	sum := 0
	report := muster.NewBroadcast(coffee, "report", muster.FromEarliest(), muster.UntilEnd(), muster.OfAggregates("table-4"),
		muster.On(poured, func(_ context.Context, e cups, _ muster.Meta) error { // one aggregate is in one partition, so this is serial
			sum += e.Cups
			return nil
		}))
	err := svc.Subscribe(ctx, report)
	fmt.Println(sum, err)
	// Output:
	// 6 <nil>
}

// Fire and forget, then wait for what comes of it: the end of the journal is taken before the command is sent.
func ExampleService_JournalEnd() {
	svc, end := brewing(barista())
	defer end()
	ctx := context.Background()
	now, err := svc.JournalEnd(ctx, coffee)
	if err != nil {
		fmt.Println(err)
	}
	if _, err := pour.Send(ctx, svc.Client(), "table-4", pouring{Cups: 2}, muster.CommandID("c-1")); err != nil {
		fmt.Println(err)
	}
	e, m, err := poured.Await(ctx, svc, muster.After(now...), muster.CausedBy("c-1"))
	fmt.Println(e.Cups, m.Revision, err)
	// Output:
	// 2 1 <nil>
}

// A command that a build could not process is replayed with one that can.
func ExampleDeadLetters_Replay() {
	var mended atomic.Bool
	a := muster.NewAggregate(coffee, func() counter { return counter{} })
	muster.Decide(a, pour, func(_ context.Context, r *muster.Root[counter], in pouring) (counter, error) {
		if !mended.Load() {
			panic("out of beans")
		}
		poured.Emit(r, cups(in))
		return r.State(), nil
	})
	muster.Evolve(a, poured, func(s counter, e cups) counter { return counter{Cups: s.Cups + e.Cups} })
	svc, end := brewing(a)
	defer end()
	ctx := context.Background()
	_, err := pour.Call(ctx, svc.Client(), "table-4", pouring{Cups: 2})
	fmt.Println(muster.ReasonOf(err))

	dead := svc.DeadLetters(coffee)
	for letter, err := range dead.All(ctx, service.LetterFilter{Reason: muster.ReasonPanic}) {
		if err != nil {
			fmt.Println(err)
			break
		}
		payload, err := dead.Decode(letter)
		fmt.Println(letter.At, letter.Command.Type, payload, err)
	}
	mended.Store(true)
	report, err := dead.Replay(ctx, service.LetterFilter{}, service.ReplayOptions{})
	fmt.Println(report, err)
	// Output:
	// panic
	// coffee.dead[1]@0 coffee.Pour {2} <nil>
	// map[done:1] <nil>
}
