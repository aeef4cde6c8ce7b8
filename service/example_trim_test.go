package service_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/service"
)

// What is older than a year may go. Here nothing is: the command is not a day old, so its answer is still remembered.
func ExampleService_Trim() {
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
	if err := svc.AwaitReady(ctx); err != nil {
		fmt.Println(err)
	}
	if _, err := pour.Call(ctx, svc.Client(), "table-4", pouring{Cups: 2}); err != nil {
		fmt.Println(err)
	}

	done, err := svc.Trim(ctx, coffee, service.TrimOptions{OlderThan: time.Now().AddDate(-1, 0, 0)})
	fmt.Println(len(done.Partitions), "partitions,", done.Events, "events removed,", err)

	finish()
	fmt.Println(<-ended)
	// Output:
	// 3 partitions, 0 events removed, <nil>
	// <nil>
}
