// Bank shows Muster at work: accounts that are opened, filled and emptied, transfers between them, a refusal, a
// conflict, a retry, and an owner that is killed in the middle.
//
//	go run ./examples/bank                                    the whole story, on a broker inside the process
//	MUSTER_BROKERS=host:9092 go run ./examples/bank           the same on a real Kafka
//	go run ./examples/bank -role owner                        one process owns the accounts ...
//	MUSTER_BROKERS=... go run ./examples/bank -role caller    ... and another one is its customer
//	go run ./examples/bank -http :8080                        an owner that speaks HTTP and shows a live page, until Ctrl-C
//
// Where to read: package bank is the contract; account.go, decide.go and transfer.go are the owner's part of it, desk.go is the caller's, balances.go and ledger.go are read models,
// face.go speaks HTTP, page.go is live, story.go says what happens in which order.
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
	code := Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Main is the program without its process: tests call it. It gives the exit code: 0 when all went as it should, 1 when something did not,
// 2 for a mistake on the command line.
func Main(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	set, err := parseSettings(args, os.Environ(), errs)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	switch set.role {
	case roleOwner:
		err = ownAccounts(ctx, set, in, out)
	case roleCaller:
		err = callAccounts(ctx, set, out)
	default:
		err = tellStory(ctx, set, out, errs)
	}
	if err != nil {
		fmt.Fprintf(errs, "bank: %v\n", err)
		return 1
	}
	return 0
}
