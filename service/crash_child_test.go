//go:build unix

package service_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster/service"
)

// childConfig is what an owner process is told. Process and parent talk in lines: the child says "ready" when it serves and "at POINT"
// when it has come to the point named here, where it stays until the parent kills it, or lets it go on with a line. The end of its input is the
// request to end in order.
type childConfig struct {
	Group              string
	Partitions         int
	Brokers            []string
	Dir, Instance      string
	Point              string // of the engine; empty: none
	Hit                int64  // at which time it is passed
	TransactionTimeout time.Duration
	Slots              int
	Desk               bool // it owns a desk, which has a stateless handler, instead of ledgers
	Closed             bool // its ledgers are
	Recovery           service.Recovery
	Session            time.Duration // zero: the shortest
	Trim               bool          // its clock is an hour ahead, and once it serves it trims, a few events at a time, until that is done
}

// child is the main function of an owner process.
func child(text string) int {
	var c childConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	lines := make(chan struct{}, 8)
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			lines <- struct{}{}
		}
		stop()
		close(lines)
	}()
	var hits atomic.Int64
	cfg := service.Config{
		Name: c.Group + "-owner", Instance: c.Instance, Brokers: c.Brokers, DataDir: c.Dir, SessionTimeout: max(session, c.Session), ReplyPartitions: 1,
		TransactionTimeout: c.TransactionTimeout, Slots: c.Slots, Recovery: c.Recovery, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Failpoint: func(name string) {
			if name == c.Point && hits.Add(1) == c.Hit {
				fmt.Println("at", name)
				<-lines
			}
		},
	}
	if c.Trim {
		cfg.DedupWindow = time.Minute
	}
	l := ledgersIn(c.Group, c.Partitions)
	l.closed = c.Closed
	var part service.Part = l.owner()
	if c.Desk {
		part = desksIn(c.Group, c.Partitions).clerk()
	}
	s, err := service.Open(ctx, cfg, part)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if c.Trim {
		s.SetClock(func() time.Time { return time.Now().Add(time.Hour) })
		s.SetTrimPiece(trimPieces)
	}
	go func() {
		if s.AwaitReady(ctx) == nil {
			fmt.Println("ready")
		}
		if c.Trim {
			trimAll(ctx, s, l.group)
		}
	}()
	if err := s.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// process is an owner in a process of its own.
type process struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	input io.WriteCloser
	said  chan string   // lines; closed at the end of its output
	err   error         // of the process; written before done is closed
	done  chan struct{} // closed when the process is gone
	log   logLines
}

// launch starts an owner process. It is killed at the end of the test if it runs then.
func launch(t *testing.T, c childConfig) *process {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program)
	command.Env = append(os.Environ(), childVariable+"="+text(c))
	return spawn(t, c.Instance, command)
}

// spawn starts a process. It is killed at the end of the test if it runs then.
func spawn(t *testing.T, name string, command *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: command, said: make(chan string, 16), done: make(chan struct{})}
	p.cmd.Stderr = &p.log
	var err error
	if p.input, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	output, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for lines := bufio.NewScanner(output); lines.Scan(); {
			p.said <- lines.Text()
		}
		close(p.said)
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("owner %s wrote:\n%s", p.name, tail(p.log.String()))
		}
	})
	return p
}

// await returns when the process has said a line.
func (p *process) await(line string) {
	p.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		select {
		case said, more := <-p.said:
			if said == line {
				return
			}
			if !more {
				p.t.Fatalf("owner %s ended before it said %q", p.name, line)
			}
		case <-limit.C:
			p.t.Fatalf("owner %s did not say %q within %v", p.name, line, patience)
		}
	}
}

// kill ends the process as kill -9 does, stopped or not, and returns when it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be gone already
	p.drain()
}

// drain takes what is still said, so that the process can end.
func (p *process) drain() {
	for range p.said {
	}
	<-p.done
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("owner %s: %v: %v", p.name, s, err)
	}
}

// proceed lets a process go on that is at its point.
func (p *process) proceed() {
	p.t.Helper()
	if _, err := io.WriteString(p.input, "go on\n"); err != nil {
		p.t.Fatalf("owner %s: %v", p.name, err)
	}
}

// end asks the process to end in order and reports one that ends badly.
func (p *process) end() {
	p.t.Helper()
	if err := p.input.Close(); err != nil {
		p.t.Errorf("owner %s: %v", p.name, err)
	}
	overtime := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer overtime.Stop()
	p.drain()
	if p.err != nil {
		p.t.Errorf("owner %s did not end in order: %v", p.name, p.err)
	}
}

func tail(s string) string {
	lines := strings.SplitAfter(s, "\n")
	return strings.Join(lines[max(0, len(lines)-60):], "")
}
