// Projector-worker is a process that owns no group and only reads: it keeps views of the accounts of examples/bank, answers queries, and is operated.
//
//	go run ./examples/projector-worker -demo                        all of it, with a broker and an owner inside the process
//	MUSTER_BROKERS=host:9092 go run ./examples/projector-worker     a worker beside owners elsewhere, until Ctrl-C
//
// Where to read: totals.go is the projection, in three builds; worker.go runs it; story.go says what the demo does, in which order.
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
	if set.demo {
		err = tellStory(ctx, set, out)
	} else {
		err = work(ctx, set, out)
	}
	if err != nil {
		fmt.Fprintf(errs, "projector-worker: %v\n", err)
		return 1
	}
	return 0
}
