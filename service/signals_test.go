package service_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/service"
)

// signalled names the variable that makes TestSignalledChild the child of TestSignals; it holds the brokers.
const signalled = "MUSTER_TEST_SIGNALLED"

// The child: an owner whose handler never ends, so that draining takes until a second signal.
func TestSignalledChild(t *testing.T) {
	brokers := os.Getenv(signalled)
	if brokers == "" {
		t.Skip("the child process of TestSignals")
	}
	b := newBank(t)
	in := make(chan struct{})
	cfg := service.Config{Name: "child", Brokers: kafkatest.Split(brokers), DataDir: t.TempDir(), DrainTimeout: time.Hour, HandlerDeadline: time.Hour}
	if strings.HasPrefix(brokers, "idle") {
		cfg.Brokers = kafkatest.Split(strings.TrimPrefix(brokers, "idle"))
	}
	cfg.Logger = slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key != slog.MessageKey {
			return slog.Attr{}
		}
		return a
	}}))
	s, err := service.Open(t.Context(), cfg, b.owner(func(ctx context.Context, _ *muster.Root[*account], _ deposit) (account, error) {
		close(in)
		<-ctx.Done()
		return account{}, ctx.Err()
	}))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if !strings.HasPrefix(brokers, "idle") {
			if _, err := b.deposit.Send(t.Context(), s.Client(), "acc-1", deposit{Amount: 1}); err != nil {
				t.Error(err)
			}
			<-in
		} else if err := s.AwaitReady(t.Context()); err != nil {
			t.Error(err)
		}
		os.Stdout.WriteString("working\n")
	}()
	err = s.RunUntilSignal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout.WriteString("drained\n")
}

// SIGTERM drains. A second one ends a process that still drains, at once.
func TestSignals(t *testing.T) {
	brokers := strings.Join(kafkatest.Brokers(t), ",")
	child := func(brokers string) *process {
		t.Helper()
		command := exec.Command(os.Args[0], "-test.run=^TestSignalledChild$", "-test.v")
		command.Env = append(os.Environ(), signalled+"="+brokers)
		return spawn(t, "child", command)
	}
	t.Run("idle", func(t *testing.T) {
		p := child("idle" + brokers)
		p.await("working")
		p.signal(syscall.SIGTERM)
		p.await("drained")
	})
	t.Run("busy", func(t *testing.T) {
		p := child(brokers)
		p.await("working")
		p.signal(syscall.SIGINT)
		p.await(`msg="asked to end; draining. A second signal ends at once"`)
		p.signal(syscall.SIGTERM)
		p.drain()
		exit, is := errors.AsType[*exec.ExitError](p.err)
		if !is || !exit.Sys().(syscall.WaitStatus).Signaled() {
			t.Errorf("the second signal: %v", p.err)
		}
	})
}
