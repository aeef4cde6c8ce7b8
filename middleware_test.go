package muster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-3eec0498/muster"
)

// trail notes who was passed, in order.
type trail struct {
	mu   sync.Mutex // guards seen
	seen []string
}

func (l *trail) add(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = append(l.seen, what)
}

func (l *trail) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := strings.Join(l.seen, " ")
	l.seen = nil
	return all
}

// mark is middleware that notes its way in and its way out.
func (l *trail) mark(name string) muster.Middleware {
	return func(next muster.Invoke) muster.Invoke {
		return func(ctx context.Context, call *muster.Invocation) (*muster.Outcome, error) {
			l.add(name + ">" + call.Command.ID)
			out, err := next(ctx, call)
			l.add("<" + name + ":" + muster.CodeOf(err).String())
			return out, err
		}
	}
}

// surrounded is a world with the given middleware around its handlers.
func surrounded(t *testing.T, b *bank, mw ...muster.Middleware) *world {
	w := newWorld(t, b.Account.Behaviour())
	w.config.Middleware = mw
	w.restart()
	return w
}

// replaced is middleware whose inside is what fn makes of it.
func replaced(fn func(ctx context.Context, call *muster.Invocation, next muster.Invoke) (*muster.Outcome, error)) muster.Middleware {
	return func(next muster.Invoke) muster.Invoke {
		return func(ctx context.Context, call *muster.Invocation) (*muster.Outcome, error) {
			return fn(ctx, call, next)
		}
	}
}

// The first of a list is outermost; the process stands outside the aggregate; ForGroup and ForType narrow; each is seen once.
func TestMiddlewareAroundHandling(t *testing.T) {
	var l trail
	b := newBank()
	b.Account.Use(l.mark("own"), muster.ForType(b.Deposit, l.mark("deposit")))
	elsewhere := muster.NewGroup("elsewhere")
	w := surrounded(t, b, l.mark("one"), muster.ForGroup(elsewhere, l.mark("never")), muster.ForGroup(b.Group, l.mark("group")), l.mark("two"))
	w.do(command("open", "acc-1", "o", order{}))
	if got, want := l.take(), "one>o group>o two>o own>o <own:OK <two:OK <group:OK <one:OK"; got != want {
		t.Errorf("open\n got %s\nwant %s", got, want)
	}
	w.do(command("deposit", "acc-1", "d", order{Amount: 1}))
	if got := l.take(); !strings.HasPrefix(got, "one>d group>d two>d own>d deposit>d <deposit:OK") {
		t.Errorf("deposit: %s", got)
	}
	w.do(command("deposit", "acc-1", "d", order{Amount: 1})) // a repeat is answered without a handler
	if got := l.take(); got != "" {
		t.Errorf("a repeat was seen: %s", got)
	}
	w.do(command("withdraw", "acc-1", "w", order{Amount: 5}), command("balance", "acc-1", "q", order{}), command("nobody", "acc-1", "n", order{}))
	for _, want := range []string{"<one:FAILED_PRECONDITION", "one>q", "<one:OK", "one>n", "<one:UNIMPLEMENTED"} {
		if got := strings.Join(l.seen, " "); !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}

// An aborted commit executes the command again: the middleware sees it again, as a further attempt, and only once per attempt.
func TestMiddlewareSeesEveryAttemptOnce(t *testing.T) {
	b := newBank()
	var attempts []int
	w := surrounded(t, b, replaced(func(ctx context.Context, call *muster.Invocation, next muster.Invoke) (*muster.Outcome, error) {
		attempts = append(attempts, call.Command.Attempt)
		if call.Again() != (call.Command.Attempt == 2) {
			t.Errorf("again is %v at attempt %d", call.Again(), call.Command.Attempt)
		}
		return next(ctx, call)
	}))
	batch := w.batch(command("open", "acc-1", "o", order{}))
	round, _ := w.decide(batch, nil)
	round.Abort()
	batch.Attempt = 2
	round, decision := w.decide(batch, nil)
	w.commit(round, decision)
	if !slices.Equal(attempts, []int{1, 2}) {
		t.Errorf("attempts seen: %v", attempts)
	}
}

// What a middleware makes of an execution, and what becomes of the events then.
func TestMiddlewareDecides(t *testing.T) {
	type step = func(ctx context.Context, call *muster.Invocation, next muster.Invoke) (*muster.Outcome, error)
	pass := func(ctx context.Context, call *muster.Invocation, next muster.Invoke) (*muster.Outcome, error) {
		return next(ctx, call)
	}
	for _, tt := range []struct {
		name    string
		command string
		step    step
		code    muster.Code
		reason  string
		balance float64 // the account has 10 before
		dead    int
	}{
		{"passes", "deposit", pass, muster.OK, "", 15, 0},
		{"refuses before", "deposit", func(context.Context, *muster.Invocation, muster.Invoke) (*muster.Outcome, error) {
			return nil, muster.Errorf(muster.PermissionDenied, "no")
		}, muster.PermissionDenied, "", 10, 0},
		{"refuses after: the events are rolled back", "deposit", func(ctx context.Context, call *muster.Invocation, next muster.Invoke) (*muster.Outcome, error) {
			if _, err := next(ctx, call); err != nil {
				return nil, err
			}
			return nil, errors.New("audit is down")
		}, muster.Unknown, "", 10, 0},
		{"answers instead", "deposit", func(context.Context, *muster.Invocation, muster.Invoke) (*muster.Outcome, error) {
			return &muster.Outcome{}, nil
		}, muster.OK, "", 10, 0},
		{"answers with a refusal", "deposit", func(context.Context, *muster.Invocation, muster.Invoke) (*muster.Outcome, error) {
			return &muster.Outcome{Code: muster.NotFound}, nil
		}, muster.NotFound, "", 10, 0},
		{"makes a success of a refusal: its events are gone", "withdraw", func(ctx context.Context, call *muster.Invocation, next muster.Invoke) (*muster.Outcome, error) {
			_, err := next(ctx, call)
			if muster.CodeOf(err) != muster.FailedPrecondition {
				t.Errorf("the handler refused with %v", err)
			}
			return &muster.Outcome{}, nil
		}, muster.OK, "", 10, 0},
		{"makes another refusal of one", "withdraw", func(ctx context.Context, call *muster.Invocation, next muster.Invoke) (*muster.Outcome, error) {
			_, err := next(ctx, call)
			return nil, muster.Errorf(muster.OutOfRange, "was %s", muster.CodeOf(err))
		}, muster.OutOfRange, "", 10, 0},
		{"sees the handler's panic as a refusal", "explode", pass, muster.Internal, muster.ReasonPanic, 10, 1},
		{"calls twice", "deposit", func(ctx context.Context, call *muster.Invocation, next muster.Invoke) (*muster.Outcome, error) {
			_, _ = next(ctx, call)
			return next(ctx, call)
		}, muster.Internal, muster.ReasonBadResult, 10, 0},
		{"returns nothing", "deposit", func(context.Context, *muster.Invocation, muster.Invoke) (*muster.Outcome, error) {
			return nil, nil
		}, muster.Internal, muster.ReasonBadResult, 10, 1},
		{"panics before", "deposit", func(context.Context, *muster.Invocation, muster.Invoke) (*muster.Outcome, error) {
			panic("secret")
		}, muster.Internal, muster.ReasonPanic, 10, 1},
		{"panics after", "deposit", func(ctx context.Context, call *muster.Invocation, next muster.Invoke) (*muster.Outcome, error) {
			_, _ = next(ctx, call)
			panic("secret")
		}, muster.Internal, muster.ReasonPanic, 10, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBank()
			w := surrounded(t, b, replaced(func(ctx context.Context, call *muster.Invocation, next muster.Invoke) (*muster.Outcome, error) {
				if call.Command.ID != "c" {
					return next(ctx, call)
				}
				return tt.step(ctx, call, next)
			}))
			opened(w, "acc-1")
			w.do(command("deposit", "acc-1", "d", order{Amount: 10}))
			amount := 5.0
			if tt.command == "withdraw" {
				amount = 50
			}
			f := w.do(command(tt.command, "acc-1", "c", order{Amount: amount}), command("deposit", "acc-1", "next", order{}))
			got := f.outcome(t, "c", 0)
			if got.Code != tt.code || got.Reason != tt.reason || len(f.decision.Dead) != tt.dead {
				t.Errorf("%s %q (%s), %d dead letters", got.Code, got.Reason, got.Message, len(f.decision.Dead))
			}
			if strings.Contains(got.Message, "secret") {
				t.Errorf("the message tells a panic's value: %s", got.Message)
			}
			if next := f.outcome(t, "next", 0); next.Code != muster.OK {
				t.Errorf("the next command: %s %s", next.Code, next.Message)
			}
			if a, _ := w.state("acc-1"); a.Balance != tt.balance {
				t.Errorf("balance %v, want %v", a.Balance, tt.balance)
			}
			before, revision := w.state("acc-1")
			w.rebuild(2)
			if after, again := w.state("acc-1"); fmt.Sprint(after) != fmt.Sprint(before) || again != revision {
				t.Errorf("state %v@%d, from the journal %v@%d", before, revision, after, again)
			}
		})
	}
}

// What a handler may ask for, a middleware may: another try, and to give a command up.
func TestMiddlewareAsksForAnotherTry(t *testing.T) {
	b := newBank()
	w := surrounded(t, b, replaced(func(ctx context.Context, call *muster.Invocation, next muster.Invoke) (*muster.Outcome, error) {
		switch call.Command.ID {
		case "later":
			return nil, muster.RetryLater(errors.New("the limit service is down"))
		case "never":
			return nil, muster.Drop("not for us")
		}
		return next(ctx, call)
	}))
	opened(w, "acc-1", "acc-2")
	f := w.do(command("deposit", "acc-1", "later", order{Amount: 1}), command("deposit", "acc-2", "never", order{Amount: 1}))
	if len(f.replies) != 1 || f.replies[0].CommandID != "never" || f.replies[0].Outcome.Reason != muster.ReasonDropped || len(f.decision.Dead) != 1 {
		t.Errorf("%d replies, first %+v, %d dead letters", len(f.replies), f.replies[0].Outcome, len(f.decision.Dead))
	}
	if len(f.decision.Offsets) != 1 || len(f.decision.Offsets[0].Waiting) != 1 {
		t.Errorf("waiting: %+v", f.decision.Offsets)
	}
}

// A middleware that does not wait for the handler is refused, and what the handler does meanwhile reaches nobody.
func TestMiddlewareThatDoesNotWait(t *testing.T) {
	b := newBank()
	begun, release, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	b.Hook = func(_ context.Context, root *muster.Root[account], _ order) (account, error) {
		close(begun)
		<-release
		b.Noted.Emit(root, moved{Text: "late"})
		return root.State(), nil
	}
	w := surrounded(t, b, muster.ForType(b.Hooked, replaced(func(ctx context.Context, call *muster.Invocation, next muster.Invoke) (*muster.Outcome, error) {
		go func() {
			defer close(ended)
			_, _ = next(ctx, call)
		}()
		<-begun
		return &muster.Outcome{}, nil
	})))
	opened(w, "acc-1")
	f := w.do(command("hooked", "acc-1", "h", order{}), command("deposit", "acc-1", "d", order{Amount: 1}))
	if got := f.outcome(t, "h", 0); got.Reason != muster.ReasonOverrun {
		t.Errorf("%s %q %s", got.Code, got.Reason, got.Message)
	}
	close(release)
	<-ended
	if got := w.do(command("deposit", "acc-1", "e", order{Amount: 1})).outcome(t, "e", 0); decoded(t, got).Balance != 2 {
		t.Errorf("%s %s", got.Code, got.Message)
	}
	if a, revision := w.state("acc-1"); a.Balance != 2 || revision != 3 {
		t.Errorf("%+v at revision %d", a, revision)
	}
}

// Middleware that is nil is told when the definition is checked.
func TestNilMiddleware(t *testing.T) {
	b := newBank()
	b.Account.Use(nil)
	if err := b.Account.Behaviour().Validate(); err == nil || !strings.Contains(err.Error(), "middleware is nil") {
		t.Errorf("%v", err)
	}
	if err := muster.CheckMiddleware(nil); err != nil {
		t.Errorf("no middleware: %v", err)
	}
}
