//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if encoded, is := isInstance(); is {
		code := beInstance(ctx, encoded, os.Stdin, os.Stdout, os.Stderr)
		stop()
		os.Exit(code)
	}
	o, err := parse(os.Args[1:], os.Stderr)
	if err == nil {
		err = soak(ctx, o, os.Stdout)
		if err != nil {
			fmt.Fprintln(os.Stderr, "soak:", err)
		}
	}
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	default:
		os.Exit(1)
	}
}
