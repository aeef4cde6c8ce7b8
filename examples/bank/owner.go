package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-3eec0498/muster/examples/internal/stage"
)

// readyLine is how the line begins that an owner prints when it serves.
const readyLine = "ready: "

// startOwner starts a service that owns accounts and transfers, with its local state in dir.
func startOwner(ctx context.Context, set settings, dir string, t transfers) (*stage.Running, error) {
	cfg := set.service("bank")
	cfg.DataDir, cfg.SessionTimeout, cfg.Metrics = dir, set.session, prometheus.NewRegistry()
	return stage.Start(ctx, cfg, parts(t)...)
}

// ownAccounts is the role of an owner: it serves until it is interrupted.
func ownAccounts(ctx context.Context, set settings, in io.Reader, out io.Writer) (err error) {
	broker, stopBroker, err := set.startBroker(ctx)
	if err != nil {
		return err
	}
	defer stopBroker()
	dir := set.dataDir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "bank-owner-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	var listener net.Listener
	if set.http != "" {
		if listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", set.http); err != nil {
			return fmt.Errorf("-http: %w", err)
		}
		defer listener.Close()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	handler := transfers{}
	if set.attached {
		middle := &halfway{out: out}
		handler.halfway = middle.wait
		go func() { // ends with the process, if not before: nothing can interrupt this read
			middle.listen(in)
			cancel()
		}()
	}
	owner, err := startOwner(ctx, set, dir, handler)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "broker: %s\n%s%s owns groups accounts and transfers; Ctrl-C ends it\n", broker, readyLine, owner.Instance())
	if listener != nil {
		fmt.Fprintf(out, "http: listening on http://%s\n", reachable(listener))
	}
	if !set.attached {
		fmt.Fprintf(out, "call it from another terminal:\n  MUSTER_BROKERS=%s go run ./examples/bank -role caller -prefix %s\n", strings.Join(set.brokers, ","), set.prefix)
	}
	if listener != nil {
		err = serveHTTP(ctx, listener, newFace(owner.Client(), owner.Handler()), owner.Ended())
	} else {
		select {
		case <-ctx.Done():
		case <-owner.Ended():
		}
	}
	if err := errors.Join(err, owner.Stop()); err != nil {
		return err
	}
	if ctx.Err() == nil {
		return errors.New("the owner ended by itself")
	}
	fmt.Fprintln(out, "drained, done")
	return nil
}
