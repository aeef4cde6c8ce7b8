package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a PostgreSQL server that was started here. One goroutine uses it at a time.
type Server struct {
	bin     string
	home    string // holds the data directory and the log
	account account
	port    int
	running *process // nil while it is down
}

// startLimit bounds how long a server may take to answer, recovery after a kill included.
const startLimit = time.Minute

// Start makes a cluster in a new temporary directory and starts a server on it. The caller ends it with [Server.Close].
func Start(ctx context.Context) (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	as, err := unprivileged()
	if err != nil {
		return nil, err
	}
	home, err := os.MkdirTemp("", "muster-postgres-")
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, home: home, account: as}
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) begin(ctx context.Context) error {
	if err := s.account.owns(s.home); err != nil {
		return err
	}
	initdb := exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"), "-D", s.files(), "-U", "postgres", "-E", "UTF8", "--locale=C", "--auth=trust", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = s.home, s.account.attributes()
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("pgtest: initdb: %w\n%s", err, out)
	}
	const ports = 20
	var err error
	for range ports { // another process may take a port between the look and the start
		if s.port, err = freePort(); err != nil {
			return err
		}
		if err = s.Resume(ctx); err == nil {
			return nil
		}
		if !bytes.Contains(s.log(), []byte("Address already in use")) {
			return err
		}
	}
	return err
}

func (s *Server) files() string { return filepath.Join(s.home, "files") }

func (s *Server) log() []byte {
	log, _ := os.ReadFile(filepath.Join(s.home, "log")) // for an error's text; nothing is better than another error
	return log[max(0, len(log)-4096):]
}

// Resume starts the server again after [Server.Stop] or [Server.Kill], on the same port, and returns when it answers.
func (s *Server) Resume(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		log, err := os.OpenFile(filepath.Join(s.home, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		server := exec.Command(filepath.Join(s.bin, "postgres"), "-D", s.files(), "-p", strconv.Itoa(s.port), //nolint:gosec // the port is a number
			"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "full_page_writes=off",
			"-c", "max_connections=60", "-c", "shared_buffers=32MB", "-c", "log_min_messages=warning")
		server.Dir, server.SysProcAttr, server.Stdout, server.Stderr = s.home, s.account.attributes(), log, log
		s.running, err = launch(server)
		_ = log.Close() // the child has its own
		if err != nil {
			return fmt.Errorf("pgtest: start postgres: %w", err)
		}
		if err = s.answers(ctx); err == nil {
			return nil
		}
		s.running = nil
		if ctx.Err() != nil || !bytes.Contains(s.log(), []byte("shared memory block")) {
			return err
		}
		// The children of a killed server see its end a moment later.
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// answers waits until the server takes connections; an error means that it has ended.
func (s *Server) answers(ctx context.Context) error {
	for {
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.running.done:
			return fmt.Errorf("pgtest: postgres ended at its start:\n%s", s.log())
		default:
		}
		if pauseErr := pause(ctx); pauseErr != nil {
			return errors.Join(fmt.Errorf("pgtest: postgres does not answer: %w\n%s", err, s.log()), s.running.kill())
		}
	}
}

// pause waits a moment between two tries.
func pause(ctx context.Context) error {
	timer := time.NewTimer(20 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stop ends the server in order; its connections are cut.
func (s *Server) Stop() error {
	if s.running == nil {
		return nil
	}
	p := s.running
	s.running = nil
	return p.stop(fastSignal)
}

// Kill ends the server with SIGKILL. What was committed is there when it comes back.
func (s *Server) Kill() error {
	if s.running == nil {
		return nil
	}
	p := s.running
	s.running = nil
	return p.kill()
}

// Close stops the server and removes its files.
func (s *Server) Close() error { return errors.Join(s.Stop(), os.RemoveAll(s.home)) }

// Address gives host:port, as a proxy in front of the server needs it.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL gives the address of one of its databases, as the superuser.
func (s *Server) URL(database string) string {
	return "postgres://postgres@" + s.Address() + "/" + database + "?sslmode=disable"
}

// freePort finds a port below the range from which systems take the local ports of connections, so that it is still free when a killed server comes back.
func freePort() (int, error) {
	const lowest, highest, attempts = 20000, 31999, 1000
	for range attempts {
		port := lowest + rand.IntN(highest-lowest+1)
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, listener.Close()
		}
	}
	return 0, fmt.Errorf("pgtest: no free port between %d and %d", lowest, highest)
}
