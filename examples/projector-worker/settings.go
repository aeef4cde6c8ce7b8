package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"

	"github.com/seed-3eec0498/muster/service"
)

// settings is what the command line and the environment say. Written by parseSettings and the story, read-only afterwards.
type settings struct {
	demo   bool
	http   string // address of queries, status and orders
	prefix string // in front of all topic names
	logger *slog.Logger

	environment service.Config // brokers, TLS, SASL and what else MUSTER_* variables say
}

// bankPrefix is what examples/bank puts in front of its topics unless told otherwise.
const bankPrefix = "bank-example."

func parseSettings(args []string, environ []string, errs io.Writer) (settings, error) {
	s := settings{}
	flags := flag.NewFlagSet("projector-worker", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.BoolVar(&s.demo, "demo", false, "bring a broker and an owner, show what a worker can do, and end")
	flags.StringVar(&s.http, "http", "127.0.0.1:8081", "where queries, status and orders are answered")
	flags.StringVar(&s.prefix, "prefix", "", "in front of all topic names; default: MUSTER_PREFIX, else "+bankPrefix)
	log := flags.Bool("log", false, "write the toolkit's log to standard error")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	var err error
	if s.environment, err = service.ConfigFromEnv(environ); err == nil {
		err = s.complete(flags.NArg() > 0)
	}
	if err != nil {
		fmt.Fprintf(errs, "projector-worker: %v\n", err)
	}
	if *log {
		s.logger = slog.New(slog.NewTextHandler(errs, nil))
	}
	return s, err
}

func (s *settings) complete(more bool) error {
	if more {
		return errors.New("there is an argument too many; see -help")
	}
	if !s.demo && len(s.environment.Brokers) == 0 {
		return errors.New("a worker needs the broker of its owners: set MUSTER_BROKERS, or use -demo")
	}
	if s.prefix == "" {
		s.prefix = s.environment.Prefix
	}
	if s.prefix == "" {
		s.prefix = bankPrefix
	}
	return nil
}

// service gives what all services here have in common.
func (s *settings) service(name string) service.Config {
	cfg := s.environment
	cfg.Name, cfg.Prefix, cfg.Logger = name, s.prefix, s.logger
	return cfg
}
