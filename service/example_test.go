package service_test

import (
	"context"
	"fmt"
	"os"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/service"
)

// A contract: in a program of its own package, imported by the owner and by its callers.
type (
	pouring struct{ Cups int }
	cups    struct{ Cups int }
	counter struct{ Cups int }
)

var (
	coffee = muster.NewGroup("coffee", muster.Partitions(3))
	pour   = muster.NewCommand[pouring, counter](coffee, "coffee.Pour")
	sum    = muster.NewQuery[struct{}, counter](coffee, "coffee.Sum")
	poured = muster.NewEvent[cups](coffee, "coffee.Poured")
)

// barista is the owner's side of the contract.
func barista() *muster.Aggregate[counter] {
	a := muster.NewAggregate(coffee, func() counter { return counter{} })
	muster.Decide(a, pour, func(_ context.Context, r *muster.Root[counter], in pouring) (counter, error) {
		if in.Cups > 10 {
			return counter{}, muster.Errorf(muster.ResourceExhausted, "%d cups at once are too many", in.Cups)
		}
		poured.Emit(r, cups(in))
		return r.State(), nil
	})
	muster.Evolve(a, poured, func(s counter, e cups) counter { return counter{Cups: s.Cups + e.Cups} })
	muster.Answer(a, sum, func(_ context.Context, s muster.State[counter], _ struct{}) (counter, error) { return s.Value(), nil })
	return a
}

// One process that owns a group and calls it, on a broker inside the process. With the addresses of a real Kafka nothing else changes.
func Example() {
	ctx := context.Background()
	broker, err := embedded.Start(ctx, embedded.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()
	dir, err := os.MkdirTemp("", "coffee")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	svc, err := service.Open(ctx, service.Config{Name: "coffee", Brokers: broker.Brokers(), DataDir: dir}, barista())
	if err != nil {
		fmt.Println(err)
		return
	}
	running, finish := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- svc.Run(running) }()

	state, err := pour.Call(ctx, svc.Client(), "table-4", pouring{Cups: 2}, muster.CommandID("c-1"))
	fmt.Println(state.Cups, err)
	state, err = pour.Call(ctx, svc.Client(), "table-4", pouring{Cups: 2}, muster.CommandID("c-1")) // a retry
	fmt.Println(state.Cups, err)
	_, err = pour.Call(ctx, svc.Client(), "table-4", pouring{Cups: 11})
	fmt.Println(err)
	state, err = sum.Call(ctx, svc.Client(), "table-4", struct{}{})
	fmt.Println(state.Cups, err)

	finish()
	fmt.Println(<-ended)
	// Output:
	// 2 <nil>
	// 2 <nil>
	// RESOURCE_EXHAUSTED: 11 cups at once are too many
	// 2 <nil>
	// <nil>
}

// A service without parts owns nothing: it calls and reads other services' groups.
func ExampleOpen() {
	ctx := context.Background()
	_, err := service.Open(ctx, service.Config{}) // everything that is wrong is told at once
	fmt.Println(err)
	// Output:
	// service: Name "": 1 to 150 letters, digits, dots, dashes or underscores, beginning with a letter or digit
	// service: Brokers is empty; give host:port of at least one broker, or start one with embedded.Start
}
