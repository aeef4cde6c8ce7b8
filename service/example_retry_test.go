package service_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/service"
)

// A handler that finds the machine cold asks to be called again. Its caller waits and sees nothing of it; other tables are served meanwhile.
func Example_retry() {
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

	a := muster.NewAggregate(coffee, func() counter { return counter{} })
	muster.Decide(a, pour, func(_ context.Context, r *muster.Root[counter], in pouring) (counter, error) {
		if attempt := r.Meta().Attempt; attempt < 3 {
			return counter{}, muster.RetryLater(errors.New("the machine is cold"))
		}
		poured.Emit(r, cups(in))
		return r.State(), nil
	})
	muster.Evolve(a, poured, func(s counter, e cups) counter { return counter{Cups: s.Cups + e.Cups} })

	svc, err := service.Open(ctx, service.Config{
		Name: "coffee", Brokers: broker.Brokers(), DataDir: dir,
		Retry: muster.RetryPolicy{Attempts: 5, Within: 30 * time.Second, First: 10 * time.Millisecond},
	}, a)
	if err != nil {
		fmt.Println(err)
		return
	}
	running, finish := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- svc.Run(running) }()

	state, err := pour.Call(ctx, svc.Client(), "table-4", pouring{Cups: 2}, muster.Timeout(20*time.Second))
	fmt.Println(state.Cups, err)
	finish()
	fmt.Println(<-ended)
	// Output:
	// 2 <nil>
	// <nil>
}
