package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/service"
)

// settings is what the command line and the environment say. Written by parseSettings and startBroker, read-only afterwards.
type settings struct {
	brokers []string // empty: a broker inside the process
	prefix  string   // in front of all topic names
	logger  *slog.Logger

	environment service.Config // TLS, SASL and what else MUSTER_* variables say
}

func parseSettings(args []string, environ []string, errs io.Writer) (settings, error) {
	s := settings{}
	flags := flag.NewFlagSet("commander", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.StringVar(&s.prefix, "prefix", "", "in front of all topic names; default: of its own for each run")
	log := flags.Bool("log", false, "write the toolkit's log to standard error")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		err := errors.New("there is an argument too many; see -help")
		fmt.Fprintf(errs, "commander: %v\n", err)
		return s, err
	}
	environment, err := service.ConfigFromEnv(environ)
	if err != nil {
		fmt.Fprintf(errs, "commander: %v\n", err)
		return s, err
	}
	s.environment, s.brokers = environment, environment.Brokers
	if s.prefix == "" {
		s.prefix = environment.Prefix
	}
	if s.prefix == "" {
		fresh := make([]byte, 3)
		rand.Read(fresh) // never fails, says its documentation
		s.prefix = "signup-" + hex.EncodeToString(fresh) + "."
	}
	if *log {
		s.logger = slog.New(slog.NewTextHandler(errs, nil))
	}
	return s, nil
}

// startBroker starts a broker inside the process unless the settings name one. stop ends it; name is for people.
func (s *settings) startBroker(ctx context.Context) (name string, stop func(), err error) {
	if len(s.brokers) > 0 {
		return "Kafka at " + strings.Join(s.brokers, ",") + ", topics " + s.prefix + "*", func() {}, nil
	}
	// It outlives an interrupt, so that the services can say goodbye to it.
	broker, err := embedded.Start(context.WithoutCancel(ctx), embedded.Config{Logger: s.logger})
	if err != nil {
		return "", nil, err
	}
	s.brokers = broker.Brokers()
	return "embedded, at " + strings.Join(s.brokers, ","), broker.Close, nil
}

// service gives what all services of the story have in common.
func (s *settings) service(name string) service.Config {
	cfg := s.environment
	cfg.Name, cfg.Brokers, cfg.Prefix, cfg.Logger = name, s.brokers, s.prefix, s.logger
	cfg.Instance, cfg.DataDir = "", "" // several services live in this process
	return cfg
}
