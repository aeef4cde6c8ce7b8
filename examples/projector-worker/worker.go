package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-3eec0498/muster/examples/internal/stage"
)

// readyLine is how the line begins that a worker prints when it answers.
const readyLine = "ready: "

// work is the worker itself: it projects and answers until ctx ends. Several of them share the accounts.
func work(ctx context.Context, set settings, out io.Writer) (err error) {
	cfg := set.service("bank-views")
	cfg.Metrics = prometheus.NewRegistry()
	if cfg.DataDir == "" { // the views are made anew at the next start
		if cfg.DataDir, err = os.MkdirTemp("", "projector-worker-"); err != nil {
			return err
		}
		defer os.RemoveAll(cfg.DataDir)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", set.http)
	if err != nil {
		return fmt.Errorf("-http: %w", err)
	}
	defer listener.Close()
	if cfg.QueryAddress == "" { // so that the workers find each other; behind another address say MUSTER_QUERY_ADDRESS
		cfg.QueryAddress = "http://" + listener.Addr().String()
	}
	views, err := stage.Start(ctx, cfg, fixedBuild.totals(), fixedBuild.totals2())
	if err != nil {
		return err
	}
	server := &http.Server{Handler: views.Handler(), ReadHeaderTimeout: 5 * time.Second} // no write timeout: a watch lasts
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprintf(out, "%s%s keeps totals@1 and totals@2\n", readyLine, views.Instance())
	fmt.Fprintf(out, "queries: %s/views/totals/rows, status: /projections, also /livez, /readyz, /metrics\n", cfg.QueryAddress)
	select {
	case <-ctx.Done():
	case <-views.Ended():
		err = errors.New("the service ended by itself")
	case err = <-served:
		served <- err
	}
	err = errors.Join(err, views.Stop()) // ends the watches, too
	err = errors.Join(err, server.Close())
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	if err == nil {
		fmt.Fprintln(out, "drained, done")
	}
	return err
}
