//go:build unix

package service_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// viewerVariable makes this binary a process that runs the totals view, as childVariable makes it an owner. It holds a [viewerConfig].
const viewerVariable = "MUSTER_TEST_VIEWER"

// viewerConfig is what such a process is told. It says "ready" when it is, and ends with its input.
type viewerConfig struct {
	Group      string
	Partitions int
	Brokers    []string
	Service    string
	Instance   string
	Dir        string
	Session    time.Duration
	Standbys   int
}

func viewer(text string) int {
	var c viewerConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			continue // only its end says something
		}
		stop()
	}()
	s, err := service.Open(ctx, service.Config{
		Name: c.Service, Instance: c.Instance, Brokers: c.Brokers, DataDir: c.Dir, SessionTimeout: c.Session,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}, bankOf(c.Group, muster.Partitions(c.Partitions)).totals(projector.Standbys(c.Standbys)))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() {
		if s.AwaitReady(ctx) == nil {
			fmt.Println("ready")
		}
	}()
	if err := s.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// view starts such a process and waits until it is ready. It is killed at the end of the test, if not before.
func view(t *testing.T, c viewerConfig) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), viewerVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(out)
		ready <- lines.Scan() && lines.Text() == "ready"
		for lines.Scan() {
			continue
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	select {
	case is := <-ready:
		if !is {
			t.Fatal("the process ended before it was ready")
		}
	case <-bounded(t).Done():
		t.Fatal("the process was not ready in time")
	}
	return cmd
}
