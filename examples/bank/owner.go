package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-3eec0498/muster/examples/internal/stage"
	"github.com/seed-3eec0498/muster/service"
)

// readyLine is how the line begins that an owner prints when it serves.
const readyLine = "ready: "

// startOwner starts a service that owns accounts and transfers, with its local state in dir, and keeps views where some are given. Other owners ask
// this one's views at the address, if there is one.
func startOwner(ctx context.Context, set settings, dir, address string, t transfers, views ...service.Part) (*stage.Running, error) {
	cfg := set.service("bank")
	cfg.DataDir, cfg.SessionTimeout, cfg.Metrics, cfg.QueryAddress = dir, set.session, prometheus.NewRegistry(), address
	return stage.Start(ctx, cfg, append(parts(t), views...)...)
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
	var address string
	var views []service.Part
	if set.http != "" {
		if listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", set.http); err != nil {
			return fmt.Errorf("-http: %w", err)
		}
		defer listener.Close()
		address = "http://" + reachable(listener)
	}
	var blind func(holder string) string
	if set.privacy {
		keys, failed := openKeys(filepath.Join(dir, "keys"))
		if failed != nil {
			return failed
		}
		defer func() { err = errors.Join(err, keys.close()) }()
		set.environment.Privacy, blind = keys.sealing, keys.blind
	}
	if listener != nil {
		views = []service.Part{newBalances(blind)}
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
	owner, err := startOwner(ctx, set, dir, address, handler, views...)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "broker: %s\n%s%s owns groups accounts and transfers; Ctrl-C ends it\n", broker, readyLine, owner.Instance())
	if listener != nil {
		fmt.Fprintf(out, "http: listening on %s\n", address)
	}
	if !set.attached {
		fmt.Fprintf(out, "call it from another terminal:\n  MUSTER_BROKERS=%s go run ./examples/bank -role caller -prefix %s\n", strings.Join(set.brokers, ","), set.prefix)
	}
	if listener != nil {
		err = serveHTTP(ctx, listener, withPage(ctx, newFace(owner.Client(), owner.Handler()), owner.QueryHandler()), owner.Ended())
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
