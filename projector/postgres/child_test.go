//go:build unix

package postgres_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/postgres"
)

// commands is how many the journal of the children has.
const commands = 150

// child is what a process of a test does: MUSTER_CHILD says what, MUSTER_URL where. It says what it has come to in lines.
func child() error {
	ctx := context.Background()
	config, err := pgxpool.ParseConfig(os.Getenv("MUSTER_URL"))
	if err != nil {
		return err
	}
	what, argument, _ := strings.Cut(os.Getenv("MUSTER_CHILD"), " ")
	if what == "die" {
		n, err := strconv.Atoi(argument)
		if err != nil {
			return err
		}
		config.ConnConfig.DialFunc = dying(n)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	switch what {
	case "claim":
		target, err := postgres.New("model", pool).Target(ctx, projector.Host{})
		if err != nil {
			return err
		}
		_, err = target.Claim(ctx, shard("model"))
		return err
	case "zombie":
		return zombie(ctx, pool, argument)
	}
	b := newBank(2, commands)
	runner, err := b.runner(ctx, b.model(pool, "", nil, projector.BatchEvents(10)))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	waitUntil(func() bool { return caughtUp(runner) })
	cancel()
	return <-ended
}

// dying kills the process in the n-th thing that happens on its connections: a write that is not sent, a write that is, an answer that is not read.
func dying(n int) func(ctx context.Context, network, address string) (net.Conn, error) {
	var happened atomic.Int64
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return &mortal{Conn: conn, at: func() {
			if happened.Add(1) == int64(n) {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}}, err
	}
}

type mortal struct {
	net.Conn
	at func()
}

func (m *mortal) Write(b []byte) (int, error) {
	m.at()
	n, err := m.Conn.Write(b)
	m.at()
	return n, err
}

func (m *mortal) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b)
	m.at()
	return n, err
}

// zombie holds a shard, says so, waits for a line, as its parent stops it meanwhile, and then commits what it has.
func zombie(ctx context.Context, pool *pgxpool.Pool, when string) error {
	target, err := postgres.New("model", pool).Target(ctx, projector.Host{})
	if err != nil {
		return err
	}
	h, err := target.Claim(ctx, shard("model"))
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	if when == "idle" {
		fmt.Println("ready")
		lines.Scan()
	}
	b, err := h.Begin(ctx)
	if err != nil {
		return err
	}
	b.Before(&projector.Running{ID: "late"})
	_, err = b.Tx().(pgx.Tx).Exec(ctx, "update rows set by = 'zombie'")
	if when == "working" {
		fmt.Println("ready")
		lines.Scan()
	}
	if err == nil {
		err = b.Commit(ctx, change(99))
	}
	switch {
	case err == nil:
		fmt.Println("committed")
	case errors.Is(err, projector.ErrFenced):
		fmt.Println("fenced")
	default:
		fmt.Println("lost")
	}
	return nil
}

// process starts this test's program as a child.
func process(t *testing.T, url, what string) *exec.Cmd {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), "MUSTER_CHILD="+what, "MUSTER_URL="+url)
	command.Stderr = os.Stderr
	return command
}
