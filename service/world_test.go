package service_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/service"
)

// The contract the tests use: an account with plain structs.
type (
	deposit  struct{ Amount int64 }
	withdraw struct{ Amount int64 }
	ask      struct{}
	account  struct{ Balance int64 }
	credited struct{ Amount int64 }
	debited  struct{ Amount int64 }
)

// bank is one contract with its owner's behaviour. Each test has its own, so that tests can share a broker.
type bank struct {
	group    *muster.Group
	deposit  *muster.CommandType[deposit, account]
	withdraw *muster.CommandType[withdraw, account]
	balance  *muster.QueryType[ask, account]
	credited *muster.EventType[credited]
	debited  *muster.EventType[debited]
}

func newBank(t *testing.T, opts ...muster.GroupOption) *bank {
	t.Helper()
	return bankOf(kafkatest.UniqueName(t, "accounts"), opts...)
}

// bankOf is a bank whose group has a name that others know, too.
func bankOf(name string, opts ...muster.GroupOption) *bank {
	g := muster.NewGroup(name, opts...)
	return &bank{
		group:    g,
		deposit:  muster.NewCommand[deposit, account](g, "bank.Deposit"),
		withdraw: muster.NewCommand[withdraw, account](g, "bank.Withdraw"),
		balance:  muster.NewQuery[ask, account](g, "bank.Balance"),
		credited: muster.NewEvent[credited](g, "bank.Credited"),
		debited:  muster.NewEvent[debited](g, "bank.Debited"),
	}
}

// owner gives the behaviour of an account; deciding replaces what a deposit does, nil is the usual.
func (b *bank) owner(deciding func(context.Context, *muster.Root[*account], deposit) (account, error)) *muster.Aggregate[*account] {
	a := muster.NewAggregate(b.group, func() *account { return &account{} })
	if deciding == nil {
		deciding = func(_ context.Context, r *muster.Root[*account], in deposit) (account, error) {
			b.credited.Emit(r, credited(in))
			return *r.State(), nil
		}
	}
	muster.Decide(a, b.deposit, deciding)
	muster.Decide(a, b.withdraw, func(_ context.Context, r *muster.Root[*account], in withdraw) (account, error) {
		if r.State().Balance < in.Amount {
			return account{}, muster.Errorf(muster.FailedPrecondition, "balance is %d", r.State().Balance)
		}
		b.debited.Emit(r, debited(in))
		return *r.State(), nil
	})
	muster.Evolve(a, b.credited, func(s *account, e credited) *account { s.Balance += e.Amount; return s })
	muster.Evolve(a, b.debited, func(s *account, e debited) *account { s.Balance -= e.Amount; return s })
	muster.Answer(a, b.balance, func(_ context.Context, s muster.State[*account], _ ask) (account, error) { return *s.Value(), nil })
	return a
}

// running is a service that is ready, and the way to end it.
type running struct {
	*service.Service
	t    *testing.T
	stop context.CancelFunc
	done chan error
}

// start opens and runs a service and waits until it is ready.
func start(t *testing.T, cfg service.Config, parts ...service.Part) *running {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := service.Open(ctx, cfg, parts...)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return launchOpened(t, s)
}

// launchOpened runs a service and waits until it is ready.
func launchOpened(t *testing.T, s *service.Service) *running {
	t.Helper()
	limit := patience
	if os.Getenv("MUSTER_SOAK") != "" {
		limit = 10 * time.Minute
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	run, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	r := &running{Service: s, t: t, stop: stop, done: make(chan error, 1)}
	go func() { r.done <- s.Run(run) }()
	t.Cleanup(func() { r.end() })
	if err := s.AwaitReady(ctx); err != nil {
		t.Fatalf("not ready: %v", err)
	}
	return r
}

// end stops the service and reports a Run that ended badly. Ending twice is harmless.
func (r *running) end() {
	r.t.Helper()
	if r.done == nil {
		return
	}
	r.stop()
	select {
	case err := <-r.done:
		if err != nil && !errors.Is(err, service.ErrClosed) {
			r.t.Errorf("run: %v", err)
		}
	case <-time.After(patience):
		r.t.Error("run did not end in time")
	}
	r.done = nil
}
