// Command steady puts a steady load on an owner with a view for minutes or hours, while the broker rolls and compacts the journals all the time, and
// tells whether anything grows. It needs Java 17 and Maven, or a broker with -brokers:
//
//	go run ./internal/steady -for 20m -out bench/results/steady
//
// One process holds everything of Muster: clients that call at a fixed rate, the owners of two groups with their Pebble stores, and a view. One group
// keeps all events and is trimmed every half minute; the other keeps the latest of each aggregate. Every few seconds a sample is taken of memory,
// goroutines, open files, the size of the local store, and lag. At the end a straight line is fitted to the second half of each series; where it
// rises by more than a tenth of the mean, the command ends with status 1. Logs of the stores have a bound instead, since files are kept to be used again.
//
// Then everything local is thrown away and made anew from the compacted journals: states and rows have to be those of before, and those that the
// answers of the clients add up to. Compaction must have removed something, else the run shows nothing and fails as well.
//
// Samples, fits and checks go into <out>.json, a plot of each series into <out>-<series>.svg.
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
	"time"

	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

// config is what the flags say.
type config struct {
	brokers  string
	during   time.Duration
	every    time.Duration // between samples
	trim     time.Duration // between trims
	rate     int           // calls per second, of both groups together
	accounts int           // of each group
	clients  int
	out      string
	commit   string
	again    string // a file of samples that is judged anew; there is no load then
}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	cancel()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "steady:", err)
		os.Exit(1)
	}
}

func parse(args []string, out io.Writer) (config, error) {
	var cfg config
	flags := flag.NewFlagSet("steady", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&cfg.brokers, "brokers", "", "addresses of real brokers; empty starts one of its own")
	flags.DurationVar(&cfg.during, "for", 20*time.Minute, "how long the load lasts")
	flags.DurationVar(&cfg.every, "every", 5*time.Second, "how often a sample is taken")
	flags.DurationVar(&cfg.trim, "trim", 30*time.Second, "how often the journal that keeps all is trimmed")
	flags.IntVar(&cfg.rate, "rate", 40, "calls per second")
	flags.IntVar(&cfg.accounts, "accounts", 500, "aggregates of each group")
	flags.IntVar(&cfg.clients, "clients", 16, "callers, each with one call at a time")
	flags.StringVar(&cfg.out, "out", "", "where samples and plots go: the beginning of their paths; empty keeps none")
	flags.StringVar(&cfg.commit, "commit", "", "the commit that runs, for the results")
	flags.StringVar(&cfg.again, "again", "", "a file of samples: judge and plot these, without a load")
	if err := flags.Parse(args); err != nil {
		return config{}, err
	}
	if cfg.during < 8*cfg.every || cfg.every < 100*time.Millisecond || cfg.trim <= 0 {
		return config{}, errors.New("-for has to be at least eight times -every, which is at least 100ms, and -trim above zero")
	}
	if cfg.rate < 1 || cfg.clients < 1 || cfg.accounts < cfg.clients {
		return config{}, errors.New("-rate and -clients have to be at least 1, -accounts at least as many as -clients")
	}
	return cfg, nil
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	cfg, err := parse(args, out)
	if err != nil {
		return err
	}
	if cfg.again != "" {
		r, err := readReport(cfg.again)
		if err != nil {
			return err
		}
		return r.conclude(cfg.out, out)
	}
	brokers := kafkatest.Split(cfg.brokers)
	if len(brokers) == 0 {
		// By default a broker looks for work to clean every 15 s.
		cluster, starting := kafkatest.Start(ctx, kafkatest.Config{Properties: map[string]string{"log.cleaner.backoff.ms": "1000"}, Log: out})
		if starting != nil {
			return starting
		}
		defer func() { err = errors.Join(err, cluster.Close()) }()
		brokers = cluster.Addresses()
	}
	return steady(ctx, &cfg, brokers, out)
}

// steady is one run: load, samples, then everything anew.
func steady(ctx context.Context, cfg *config, brokers []string, out io.Writer) error {
	w, err := openWorld(cfg, brokers, out)
	if err != nil {
		return err
	}
	defer w.close(ctx)
	if err := w.open(ctx); err != nil {
		return err
	}
	r := newReport(cfg)
	r.Samples, err = w.load(ctx)
	if err == nil {
		err = w.compare(ctx, r)
	}
	if err != nil {
		return err
	}
	return r.conclude(cfg.out, out)
}
