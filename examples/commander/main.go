// Commander is a user registration in the way of Commander: two groups, handlers by name, a writer, progress to the waiting caller, a subscriber.
//
//	go run ./examples/commander                                 all of it, on a broker inside the process
//	MUSTER_BROKERS=host:9092 go run ./examples/commander        the same on a real Kafka
//
// Where to read: package signup is the contract, registration.go and mails.go handle commands, welcome.go subscribes to events, story.go says
// what happens in which order.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Main is the program without its process: tests call it. It gives the exit code: 0 when all went as it should, 1 when something did not,
// 2 for a mistake on the command line.
func Main(ctx context.Context, args []string, out, errs io.Writer) int {
	set, err := parseSettings(args, os.Environ(), errs)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	if err := tellStory(ctx, set, out); err != nil {
		fmt.Fprintf(errs, "commander: %v\n", err)
		return 1
	}
	return 0
}
