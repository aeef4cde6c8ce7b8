package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// shared is the one server of a test process; a global, because testing gives a test no other way to what TestMain ends.
var shared struct {
	mu     sync.Mutex // guards the rest
	server *Server
	err    error
	number int // of the last database
}

// Main runs a package's tests and ends the shared server behind them: os.Exit(pgtest.Main(m)).
func Main(m *testing.M) int {
	code := m.Run()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server != nil {
		if err := shared.server.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	return code
}

// Database makes an empty database on the shared server, which it starts at first, and gives its URL. The database goes with the test. Without
// PostgreSQL the test is skipped, or fails where that is required. The package's TestMain must use [Main].
func Database(tb testing.TB) string {
	tb.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = Start(context.WithoutCancel(tb.Context()))
	}
	if shared.err != nil {
		missing(tb, shared.err)
	}
	shared.number++
	name := "test" + strconv.Itoa(shared.number)
	server := shared.server
	server.run(tb, tb.Context(), "create database "+name)
	tb.Cleanup(func() {
		server.run(tb, context.WithoutCancel(tb.Context()), "drop database "+name+" with (force)")
	})
	return server.URL(name)
}

// Own starts a server for one test, which may stop, kill and resume it. It ends with the test.
func Own(tb testing.TB) *Server {
	tb.Helper()
	server, err := Start(tb.Context())
	if err != nil {
		missing(tb, err)
	}
	tb.Cleanup(func() {
		if err := server.Close(); err != nil {
			tb.Error(err)
		}
	})
	return server
}

// missing ends a test that has no server.
func missing(tb testing.TB, err error) {
	tb.Helper()
	if errors.Is(err, ErrMissing) && os.Getenv(RequiredVariable) != "1" {
		tb.Skip(err)
	}
	tb.Fatal(err)
}

// run executes statements as the superuser.
func (s *Server) run(tb testing.TB, ctx context.Context, statements ...string) {
	tb.Helper()
	const limit = 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		tb.Fatalf("pgtest: %s: %v", strings.Join(statements, "; "), err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			tb.Fatalf("pgtest: %s: %v", statement, err)
		}
	}
}
