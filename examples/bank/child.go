package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// child is an owner in a process of its own, which can be killed as a crash would.
type child struct {
	command *exec.Cmd
	stdin   io.WriteCloser // while it is open, the child lives; it ends with this process
	said    chan string    // what it has printed since it was ready; what nobody hears is lost beyond the room there is
	drained chan struct{}  // closed when its output has ended
}

// startChild starts this program again in the role of an owner and returns when that is ready.
func startChild(ctx context.Context, set settings, dir string, errs io.Writer) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, program, "-role", roleOwner, "-attached", "-prefix", set.prefix, "-data", dir,
		"-session", set.session.String(), fmt.Sprintf("-log=%t", set.logger != nil))
	command.Env = append(os.Environ(), "MUSTER_BROKERS="+strings.Join(set.brokers, ","))
	command.Stderr = errs
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	c := &child{command: command, stdin: stdin, said: make(chan string, 64), drained: make(chan struct{})}
	ready := make(chan struct{})
	go func() {
		defer close(c.drained)
		for lines, seen := bufio.NewScanner(stdout), false; lines.Scan(); {
			switch {
			case seen:
				select {
				case c.said <- lines.Text():
				default:
				}
			case strings.HasPrefix(lines.Text(), readyLine):
				seen = true
				close(ready)
			}
		}
	}()
	late := time.NewTimer(time.Minute)
	defer late.Stop()
	select {
	case <-ready:
		return c, nil
	case <-c.drained:
		err = errors.New("the owner's process ended before it was ready; what it printed says why")
	case <-late.C:
		err = errors.New("the owner's process was not ready within a minute")
	}
	c.kill()
	return nil, err
}

// say writes a line to the child and waits for one that begins as answer does.
func (c *child) say(ctx context.Context, line, answer string) error {
	if _, err := fmt.Fprintln(c.stdin, line); err != nil {
		return err
	}
	return c.hear(ctx, answer)
}

// hear waits until the child prints a line that begins so.
func (c *child) hear(ctx context.Context, begin string) error {
	for {
		select {
		case line := <-c.said:
			if strings.HasPrefix(line, begin) {
				return nil
			}
		case <-c.drained:
			return fmt.Errorf("the owner's process ended before it said %q", begin)
		case <-ctx.Done():
			return fmt.Errorf("the owner's process did not say %q: %w", begin, ctx.Err())
		}
	}
}

func (c *child) pid() int { return c.command.Process.Pid }

// kill ends the process at once, with no chance to tidy up, and waits until it is gone. A second call does nothing.
func (c *child) kill() {
	_ = c.command.Process.Kill() // an error says that it has ended already
	<-c.drained
	_ = c.stdin.Close()
	_ = c.command.Wait() // it was killed, and that is the error
}
