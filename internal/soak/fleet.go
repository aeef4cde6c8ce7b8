//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// instance is one replica over all its lives. Its disk and its name stay.
type instance struct {
	settings settings
	home     string   // the directory with its log and its disk
	enter    []string // what its command line begins with
	disk     *disk    // nil: an ordinary directory

	mu    sync.Mutex // guards child
	child *child     // the latest life
}

// fleet is all instances, and what is known of how they fared.
type fleet struct {
	all    []*instance
	broken func(error) // told of an instance that ended by itself
}

// start gives an instance another life; it does not wait for it to be ready.
func (f *fleet) start(i *instance) error {
	logs, err := os.OpenFile(filepath.Join(i.home, "instance.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer logs.Close() // the process has it open by itself
	program, err := os.Executable()
	if err != nil {
		return err
	}
	encoded, err := json.Marshal(i.settings)
	if err != nil {
		return err
	}
	line := append(append([]string(nil), i.enter...), program)
	c, err := spawn(line, append(os.Environ(), instanceVariable+"="+string(encoded)), logs)
	if err != nil {
		return fmt.Errorf("start of %s: %w", i.settings.Name, err)
	}
	i.mu.Lock()
	i.child = c
	i.mu.Unlock()
	go func() {
		if err := c.died(); err != nil {
			f.broken(fmt.Errorf("%s: %w; its log is %s", i.settings.Name, err, logs.Name()))
		}
	}()
	return nil
}

// life gives the latest process.
func (i *instance) life() *child {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.child
}

func (i *instance) kill()   { i.life().kill() }
func (i *instance) pause()  { i.life().signal(syscall.SIGSTOP) }
func (i *instance) resume() { i.life().signal(syscall.SIGCONT) }

// end asks it to end in order, and kills it when it does not within a limit, which is an error.
func (i *instance) end(limit time.Duration) error {
	c := i.life()
	if c == nil {
		return nil
	}
	c.mean()
	if err := c.input.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	overtime := time.NewTimer(limit)
	defer overtime.Stop()
	select {
	case <-c.ended:
	case <-overtime.C:
		c.signal(syscall.SIGQUIT) // the log gets the stacks
		select {
		case <-c.ended:
		case <-time.After(10 * time.Second):
			c.kill()
		}
		return fmt.Errorf("%s has not ended within %v of being told to; its log has the stacks", i.settings.Name, limit)
	}
	if c.err != nil {
		return fmt.Errorf("%s was told to end and did not end well: %w", i.settings.Name, c.err)
	}
	return nil
}

// state is what /status says of an instance, as far as it is of interest here.
type state struct {
	Ready      string
	Partitions []struct {
		Group     string
		Partition int32
		State     string
	}
}

// ask gets an instance's own word.
func (i *instance) ask(ctx context.Context) (state, error) {
	var s state
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, i.life().where()+"/status", http.NoBody)
	if err != nil {
		return s, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return s, err
	}
	defer answer.Body.Close()
	return s, json.NewDecoder(answer.Body).Decode(&s)
}

// serves gives the command partitions that an instance serves, by its own word; none when it does not answer.
func (i *instance) serves(ctx context.Context) []int32 {
	s, err := i.ask(ctx)
	if err != nil {
		return nil
	}
	var serving []int32
	for _, p := range s.Partitions {
		if p.State == "serving" {
			serving = append(serving, p.Partition)
		}
	}
	return serving
}

// awaitReady returns when every instance says that it is ready.
func (f *fleet) awaitReady(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for _, i := range f.all {
		last := errors.New("it has not answered yet")
		err := poll(ctx, func() bool {
			s, err := i.ask(ctx)
			if err == nil && s.Ready != "ok" {
				err = errors.New(s.Ready)
			}
			if err != nil && ctx.Err() == nil {
				last = err
			}
			return err == nil
		})
		if err != nil {
			return fmt.Errorf("%s was not ready within %v: %w", i.settings.Name, limit, last)
		}
	}
	return nil
}

// kill ends all.
func (f *fleet) kill() {
	for _, i := range f.all {
		if c := i.life(); c != nil {
			c.kill()
		}
	}
}

// poll returns when a condition holds that is looked at again and again, or with the context's error.
func poll(ctx context.Context, holds func() bool) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
