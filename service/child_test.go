//go:build unix

package service_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster/service"
)

// children are what this binary can be instead of a test run, by the environment variable that holds the child's configuration. Child and parent talk
// in lines: the child says "ready" when it serves, and "at POINT" when it has come to the point named in its configuration, where it stays until the
// parent kills it, or lets it go on with a line. The end of its input is the request to end in order.
var children = map[string]func(text string) int{
	"MUSTER_TEST_CHILD":  func(text string) int { return asChild(text, (*childConfig).work) },
	"MUSTER_TEST_RELAY":  func(text string) int { return asChild(text, (*relayConfig).work) },
	"MUSTER_TEST_VIEWER": func(text string) int { return asChild(text, (*viewerConfig).work) },
	"MUSTER_TEST_STORY":  func(text string) int { return asChild(text, (*storyConfig).work) },
	"MUSTER_TEST_CLERK":  func(text string) int { return asChild(text, (*clerkConfig).work) },
	"MUSTER_TEST_SCRIBE": func(text string) int { return asChild(text, (*scribeConfig).work) },
}

// asChild is the main function of a child: work until the input ends. Each line of it is one receive.
func asChild[C any](text string, work func(c *C, ctx context.Context, lines <-chan struct{}) error) int {
	c := new(C)
	if err := json.Unmarshal([]byte(text), c); err != nil {
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
	if err := work(c, ctx, lines); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// sayReady tells the parent when a service is.
func sayReady(ctx context.Context, s *service.Service) {
	if s.AwaitReady(ctx) == nil {
		fmt.Println("ready")
	}
}

// process is a child of the test.
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

// spawnAs starts this binary as the child that variable stands for. It is killed at the end of the test if it runs then.
func spawnAs(t *testing.T, variable, name string, config any) *process {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program)
	command.Env = append(os.Environ(), variable+"="+text(config))
	return spawn(t, name, command)
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
			t.Logf("process %s wrote:\n%s", p.name, tail(p.log.String()))
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
				p.t.Fatalf("process %s ended before it said %q", p.name, line)
			}
		case <-limit.C:
			p.t.Fatalf("process %s did not say %q within %v", p.name, line, patience)
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
		p.t.Fatalf("process %s: %v: %v", p.name, s, err)
	}
}

// proceed lets a process go on that is at its point.
func (p *process) proceed() {
	p.t.Helper()
	if _, err := io.WriteString(p.input, "go on\n"); err != nil {
		p.t.Fatalf("process %s: %v", p.name, err)
	}
}

// end asks the process to end in order and reports one that ends badly.
func (p *process) end() {
	p.t.Helper()
	if err := p.input.Close(); err != nil {
		p.t.Errorf("process %s: %v", p.name, err)
	}
	overtime := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer overtime.Stop()
	p.drain()
	if p.err != nil {
		p.t.Errorf("process %s did not end in order: %v", p.name, p.err)
	}
}

func tail(s string) string {
	lines := strings.SplitAfter(s, "\n")
	return strings.Join(lines[max(0, len(lines)-60):], "")
}
