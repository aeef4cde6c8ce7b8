//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-3eec0498/muster/service"
)

// instanceVariable makes this program an instance instead of the supervisor. It holds the settings.
const instanceVariable = "MUSTER_SOAK_INSTANCE"

// What an instance says on its standard output, a line each.
const (
	sayAddress = "address " // where it answers
	sayReady   = "ready"
	sayLeft    = "left " // a goroutine that was there at the end, on one line
)

// settings is what an instance is told.
type settings struct {
	Group       string
	Partitions  int
	Brokers     []string
	Service     string
	Name        string
	Dir         string
	Host        string // where it answers
	Session     time.Duration
	Transaction time.Duration
}

// beInstance owns and projects until the input ends, and gives the exit code. What the supervisor has to know goes to said, the log to logs.
func beInstance(ctx context.Context, encoded string, input io.Reader, said, logs io.Writer) int {
	var s settings
	if err := json.Unmarshal([]byte(encoded), &s); err != nil {
		fmt.Fprintln(logs, "settings:", err)
		return 2
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		for in := bufio.NewScanner(input); in.Scan(); {
		}
		stop()
	}()
	before := goleak.IgnoreCurrent()
	if err := s.serve(ctx, said, slog.New(slog.NewTextHandler(logs, nil))); err != nil {
		fmt.Fprintln(logs, "ended by itself:", err)
		return 1
	}
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(before); err != nil {
		fmt.Fprintln(said, sayLeft+strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return 0
}

// serve runs the service, and answers, until ctx ends.
func (s *settings) serve(ctx context.Context, said io.Writer, log *slog.Logger) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(s.Host, "0"))
	if err != nil {
		return err
	}
	address := "http://" + listener.Addr().String()
	fmt.Fprintln(said, sayAddress+address)
	l := newLedgers(s.Group, s.Partitions)
	own, err := s.open(ctx, l, address, log)
	if err != nil {
		_ = listener.Close()
		if ctx.Err() != nil {
			return nil // told to end before it had begun
		}
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- own.ServeListener(serving, listener) }()
	announced := make(chan struct{})
	go func() {
		defer close(announced)
		if own.AwaitReady(serving) == nil {
			fmt.Fprintln(said, sayReady)
		}
	}()
	err = own.Run(ctx)
	if err == nil && ctx.Err() == nil {
		err = errors.New("run returned without being told to")
	}
	stop()
	<-announced
	return errors.Join(err, <-served)
}

// open is bounded: an instance may be started while a broker is away, and waits for it.
func (s *settings) open(ctx context.Context, l *ledgers, address string, log *slog.Logger) (*service.Service, error) {
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	return service.Open(ctx, service.Config{
		Name: s.Service, Instance: s.Name, Brokers: s.Brokers, DataDir: s.Dir, QueryAddress: address, Logger: log,
		SessionTimeout: s.Session, TransactionTimeout: s.Transaction, ReplyPartitions: 1,
	}, l.owner(), l.view())
}

// openLimit bounds the start of an instance.
const openLimit = time.Minute

// isInstance tells whether this process is to be one, and as what.
func isInstance() (encoded string, is bool) { return os.LookupEnv(instanceVariable) }
