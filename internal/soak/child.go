//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
)

// child is one life of an instance: a process.
type child struct {
	process *os.Process // written by spawn, read-only afterwards
	input   io.Closer   // its end asks the process to end in order
	ready   chan struct{}
	ended   chan struct{} // closed when the process is gone; err is there then
	err     error         // how it ended

	mu      sync.Mutex // guards what follows
	address string     // where it answers; empty until it has said so
	left    []string   // goroutines it found left at its end
	meant   bool       // it was told or made to end
}

// spawn starts a process and reads what it says. The kernel kills it when this process dies: it ties the two by the thread that made the child, so
// one goroutine stays on its thread as long as the child lives.
func spawn(line, env []string, logs *os.File) (*child, error) {
	command := exec.Command(line[0], line[1:]...)
	command.Env = env
	command.Stderr = logs
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true} // an interrupt at the terminal is the supervisor's to see to
	input, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c := &child{input: input, ready: make(chan struct{}), ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		c.process = command.Process
		started <- err
		if err != nil {
			return
		}
		c.listen(output)
		c.err = command.Wait()
		close(c.ended)
	}()
	return c, <-started
}

// listen reads what the process says, to the end.
func (c *child) listen(output io.Reader) {
	ready := false
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		c.mu.Lock()
		switch {
		case strings.HasPrefix(line, sayAddress):
			c.address = strings.TrimPrefix(line, sayAddress)
		case strings.HasPrefix(line, sayLeft):
			c.left = append(c.left, strings.TrimPrefix(line, sayLeft))
		case line == sayReady && !ready:
			ready = true
			close(c.ready)
		}
		c.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, output) // a line longer than a scanner takes must not stop the process
}

// where gives its address, empty before it has one.
func (c *child) where() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.address
}

// leftovers gives the goroutines that it found at its end.
func (c *child) leftovers() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left
}

// mean notes that the end of the process is wanted.
func (c *child) mean() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.meant = true
}

// died tells that it has ended, and nobody wanted it.
func (c *child) died() error {
	<-c.ended
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.meant && c.err == nil:
		return fmt.Errorf("process %d ended although nobody told it to", c.process.Pid)
	case !c.meant:
		return fmt.Errorf("process %d ended by itself: %w", c.process.Pid, c.err)
	default:
		return nil
	}
}

// kill ends it as kill -9 does, stopped or not, and returns when it is gone.
func (c *child) kill() {
	c.mean()
	_ = c.process.Kill() // it may be gone already
	<-c.ended
}

// signal sends one; a process that has ended is none to complain about.
func (c *child) signal(s syscall.Signal) { _ = c.process.Signal(s) }
