package main

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/seed-3eec0498/muster/service"
)

// The roles of a process.
const (
	roleStory  = "story"
	roleOwner  = "owner"
	roleCaller = "caller"
)

// settings is what the command line and the environment say. Written by parseSettings and startBroker, read-only afterwards.
type settings struct {
	role     string
	brokers  []string // empty: a broker inside the process
	prefix   string   // in front of all topic names
	dataDir  string   // of the owner; empty: a temporary one
	session  time.Duration
	http     string       // address of the HTTP face; empty: none
	privacy  bool         // seal personal data, with keys in dataDir
	attached bool         // the owner ends with its standard input: it is the child of a story
	logger   *slog.Logger // nil: silence

	environment service.Config // TLS, SASL and what else MUSTER_* variables say

	// mark makes account ids unique where others may have written under the same prefix; empty where nobody can have.
	mark string
}

func parseSettings(args []string, environ []string, errs io.Writer) (settings, error) {
	s := settings{}
	flags := flag.NewFlagSet("bank", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.StringVar(&s.role, "role", roleStory, "what this process is: story (owner and caller, and a crash), owner, or caller")
	flags.StringVar(&s.prefix, "prefix", "", "in front of all topic names; default: of its own for each story on a real Kafka, else bank-example.")
	flags.StringVar(&s.dataDir, "data", "", "the owner's directory for local state; default: a temporary one")
	flags.DurationVar(&s.session, "session", 0, "after how long without a sign of life an owner counts as dead; default: 6s, the least Kafka allows unless told otherwise, and 1s on a broker inside the process")
	flags.StringVar(&s.http, "http", "", "be an owner with an HTTP face at this address, such as :8080, until interrupted; -role owner goes without saying")
	flags.BoolVar(&s.privacy, "privacy", false, "with -http: seal what is personal, holders and texts; the keys lie in the directory of -data")
	flags.BoolVar(&s.attached, "attached", false, "owner: end when standard input ends")
	log := flags.Bool("log", false, "write the toolkit's log to standard error")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	environment, err := service.ConfigFromEnv(environ)
	if err != nil {
		fmt.Fprintf(errs, "bank: %v\n", err)
		return s, err
	}
	s.environment, s.brokers = environment, environment.Brokers
	if s.prefix == "" {
		s.prefix = environment.Prefix
	}
	err = s.complete(flags.NArg() > 0)
	if err != nil {
		fmt.Fprintf(errs, "bank: %v\n", err)
	}
	if *log {
		s.logger = slog.New(slog.NewTextHandler(errs, nil))
	}
	return s, err
}

// service gives what all services of the bank have in common.
func (s *settings) service(name string) service.Config {
	cfg := s.environment
	cfg.Name, cfg.Brokers, cfg.Prefix, cfg.Logger = name, s.brokers, s.prefix, s.logger
	cfg.Instance, cfg.DataDir = "", "" // several services may live in this process
	return cfg
}
