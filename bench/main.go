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

	"github.com/seed-3eec0498/muster/internal/pgtest"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	cancel()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures the rows asked for and prints a line for each. A row that fails ends it; the rows before it are kept.
func run(ctx context.Context, args []string, out io.Writer) error {
	cfg, err := parse(args, out)
	if err != nil {
		return err
	}
	rows, err := choose(cfg.rows)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.timeout, fmt.Errorf("not done within %v; give a longer -timeout or fewer rows", cfg.timeout))
	defer cancel()
	c, err := openCluster(ctx, cfg)
	if err != nil {
		return err
	}
	defer c.close()
	profiling, err := cfg.profiles.start()
	if err != nil {
		return err
	}
	results, err := measure(ctx, c, rows, out)
	return errors.Join(err, profiling(), write(cfg.json, results))
}

// measure makes the passes of each row.
func measure(ctx context.Context, c *cluster, rows []row, out io.Writer) ([]result, error) {
	var results []result
	for _, r := range rows {
		if c.count < r.brokers {
			if c.cfg.all() {
				fmt.Fprintf(out, "%-22s left out: it needs %d brokers, there are %d\n", r.name, r.brokers, c.count)
				continue
			}
			return results, fmt.Errorf("%s needs %d brokers, there are %d", r.name, r.brokers, c.count)
		}
		if r.peer && c.cfg.all() {
			continue // asked for by name only
		}
		if r.peer && c.cfg.streams == "" {
			return results, fmt.Errorf("%s: %w", r.name, errNoStreams)
		}
		one, err := r.measure(ctx, c)
		if c.cfg.all() && errors.Is(err, pgtest.ErrMissing) {
			fmt.Fprintf(out, "%-22s left out: there is no PostgreSQL server here\n", r.name)
			continue
		}
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = errors.Join(cause, err)
			}
			return results, fmt.Errorf("%s: %w", r.name, err)
		}
		fmt.Fprintln(out, one.line())
		results = append(results, one)
	}
	return results, nil
}
