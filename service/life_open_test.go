package service_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/journal"
	"github.com/seed-3eec0498/muster/service"
)

// Nobody listens: Open ends with its context and names the address.
func TestOpenWithoutABroker(t *testing.T) {
	t.Parallel() // it waits most of the time
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b := newBank(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err = service.Open(ctx, service.Config{Name: "bank", Brokers: []string{address}, DataDir: t.TempDir()}, b.owner(nil))
	if err == nil || !strings.Contains(err.Error(), address) || muster.CodeOf(err) != muster.Unavailable {
		t.Errorf("Open: %v; want UNAVAILABLE and the address %s", err, address)
	}
}

// Everything that is wrong without asking a broker is told at once.
func TestOpenReportsAllFaults(t *testing.T) {
	a, b := newBank(t), newBank(t)
	empty := muster.NewAggregate(a.group, func() *account { return nil })
	muster.Decide(empty, a.deposit, func(context.Context, *muster.Root[*account], deposit) (account, error) { return account{}, nil })
	muster.Decide(empty, a.deposit, func(context.Context, *muster.Root[*account], deposit) (account, error) { return account{}, nil })
	_, err := service.Open(t.Context(), service.Config{Name: "no name", Instance: "a/b", Workers: -1, CallTimeout: time.Nanosecond},
		empty, b.owner(nil), b.owner(nil))
	if err == nil {
		t.Fatal("opened")
	}
	for _, part := range []string{
		"Name", "Instance", "Brokers", "Workers", "CallTimeout", "DataDir is empty", "bank.Deposit", "bank.Credited",
		b.group.Name() + " is owned by two parts",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not speak of %s:\n%v", part, err)
		}
	}
}

// One data directory belongs to one process at a time.
func TestOpenSameDirectoryTwice(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 2)
	cfg := st.config()
	s := start(t, cfg, st.owner(nil))
	cfg.Metrics = nil
	_, err := service.Open(t.Context(), cfg, st.owner(nil))
	if !errors.Is(err, journal.ErrLocked) || !strings.Contains(err.Error(), cfg.DataDir) {
		t.Errorf("second Open: %v; want ErrLocked and the directory", err)
	}
	st.served(s, "acc-1")
	s.end()
	again := start(t, cfg, st.owner(nil))
	st.served(again, "acc-1")
	if again.Instance() != s.Instance() {
		t.Errorf("the instance is named %s after a restart; want %s as before", again.Instance(), s.Instance())
	}
}

// A directory that cannot be written is told with what to do; nothing stays open.
func TestOpenDirectoryThatCannotBeMade(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	cfg := st.config()
	file := cfg.DataDir + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.DataDir = file + "/below"
	_, err := service.Open(t.Context(), cfg, st.owner(nil))
	if err == nil || !strings.Contains(err.Error(), "DataDir") && !strings.Contains(err.Error(), file) {
		t.Errorf("Open: %v; want the directory by name", err)
	}
	cfg.DataDir = t.TempDir()
	s := start(t, cfg, st.owner(nil)) // the metrics of the first try are not in the way
	st.served(s, "acc-1")
}

// Two services with one registerer would mix up their numbers: the second is refused, and harms nothing.
func TestOpenSameMetricsTwice(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	s := st.open()
	other := st.config()
	if _, err := service.Open(t.Context(), other, st.owner(nil)); err == nil {
		t.Error("two owners of one group share a registerer")
	}
	st.served(s, "acc-1")
	if st.counter("muster_events_total", nil) != 1 {
		t.Error("the metrics of the first service are gone")
	}
}
