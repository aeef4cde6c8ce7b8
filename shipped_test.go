package muster_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
)

// Recover tells of every panic, with its stack, and what stands outside sees an error.
func TestRecover(t *testing.T) {
	var told []*muster.PanicError
	var l trail
	w := surrounded(t, newBank(), l.mark("out"), muster.Recover(func(_ context.Context, call *muster.Invocation, p *muster.PanicError) {
		told = append(told, p)
	}), replaced(func(ctx context.Context, call *muster.Invocation, next muster.Invoke) (*muster.Outcome, error) {
		if call.Command.ID == "m" {
			panic("secret")
		}
		return next(ctx, call)
	}))
	opened(w, "acc-1")
	l.take()
	f := w.do(command("explode", "acc-1", "x", order{Text: "payload"}), command("deposit", "acc-1", "m", order{}))
	if len(told) != 2 || !strings.Contains(string(told[0].Stack), "bank_test.go") || strings.Contains(told[0].Text+told[1].Text, "secret") {
		t.Errorf("told of %d panics: %v", len(told), told)
	}
	if got, want := l.take(), "out>x <out:INTERNAL out>m <out:INTERNAL"; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	for _, id := range []string{"x", "m"} {
		if got := f.outcome(t, id, 0); got.Reason != muster.ReasonPanic {
			t.Errorf("%s: %s %q", id, got.Code, got.Reason)
		}
	}
	if len(f.decision.Dead) != 2 {
		t.Errorf("%d dead letters for two panics", len(f.decision.Dead))
	}
}

// A handler that heeds its context is refused when its limit is over.
func TestTimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBank()
		b.Hook = func(ctx context.Context, root *muster.Root[account], _ order) (account, error) {
			<-ctx.Done()
			return account{}, ctx.Err()
		}
		w := surrounded(t, b, muster.ForType(b.Hooked, muster.TimeLimit(time.Second)), muster.TimeLimit(0))
		began := time.Now()
		f := w.do(command("hooked", "acc-1", "h", order{}))
		if got := f.outcome(t, "h", 0); got.Code != muster.DeadlineExceeded || got.Reason != muster.ReasonOverrun || time.Since(began) != time.Second {
			t.Errorf("%s %q after %v", got.Code, got.Reason, time.Since(began))
		}
		c, _ := surroundedClient(nil, muster.TimeLimit(time.Second))
		began = time.Now()
		if _, err := b.Open.Call(t.Context(), c, "acc-1", order{}); !errors.Is(err, muster.ErrOutcomeUnknown) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// Around a handler a command too many is refused at once and may come again; around a send it waits.
func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBank()
		mw, err := muster.Throttle(muster.ThrottleConfig{PerSecond: 2, Burst: 2})
		if err != nil {
			t.Fatal(err)
		}
		w := surrounded(t, b, mw)
		f := w.do(command("open", "a", "1", order{}), command("open", "b", "2", order{}), command("open", "c", "3", order{}))
		if got := f.outcome(t, "3", 0); got.Code != muster.ResourceExhausted || got.Reason != muster.ReasonThrottled || !got.Retry || len(f.decision.Dead) != 0 {
			t.Errorf("%s %q retry %v, %d dead letters", got.Code, got.Reason, got.Retry, len(f.decision.Dead))
		}
		<-time.After(500 * time.Millisecond) // one more token
		f = w.do(command("open", "c", "3", order{}), command("open", "d", "4", order{}))
		if one, other := f.outcome(t, "3", 0), f.outcome(t, "4", 0); one.Code != muster.OK || other.Code != muster.ResourceExhausted {
			t.Errorf("half a second later: %s, %s", one.Code, other.Code)
		}
		mw, err = muster.Throttle(muster.ThrottleConfig{PerSecond: 2, Burst: 1})
		if err != nil {
			t.Fatal(err)
		}
		c, _ := surroundedClient(nil, mw)
		began := time.Now()
		for range 4 {
			if _, err := b.Open.Send(t.Context(), c, "a", order{}); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); took != 1500*time.Millisecond {
			t.Errorf("four sends at two per second took %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := b.Open.Send(ctx, c, "a", order{}); muster.CodeOf(err) != muster.DeadlineExceeded || errors.Is(err, muster.ErrOutcomeUnknown) {
			t.Errorf("no turn in time: %v", err)
		}
		began = time.Now()
		if _, err := b.Open.Send(t.Context(), c, "a", order{}); err != nil || time.Since(began) != 400*time.Millisecond {
			t.Errorf("the token of who gave up was lost: %v after %v", err, time.Since(began))
		}
	})
}

// The clock that is passed in is the one that counts.
func TestThrottleClock(t *testing.T) {
	now := epoch
	mw, err := muster.Throttle(muster.ThrottleConfig{PerSecond: 1, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	w := surrounded(t, newBank(), mw)
	step := func(id string, want muster.Code) {
		t.Helper()
		if got := w.do(command("open", id, id, order{})).outcome(t, id, 0); got.Code != want {
			t.Errorf("%s: %s, want %s", id, got.Code, want)
		}
	}
	step("a", muster.OK)
	step("b", muster.ResourceExhausted)
	now = now.Add(-time.Hour)
	step("c", muster.ResourceExhausted) // a clock set back gives nothing
	now = now.Add(time.Second)
	step("d", muster.OK)
	for _, bad := range []muster.ThrottleConfig{{}, {PerSecond: -1}, {PerSecond: 1, Burst: -1}} {
		if _, err := muster.Throttle(bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

// One line per execution and per send, never with a payload, an aggregate id, a header or a refusal's text.
func TestLogging(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b := newBank()
	w := surrounded(t, b, muster.Logging(log), muster.Logging(nil))
	secret := command("deposit", "secret-aggregate", "c1", order{Text: "secret-payload"})
	secret.Headers = muster.Headers{{Key: "k", Value: []byte("secret-header")}}
	w.do(secret, command("explode", "secret-aggregate", "c2", order{Text: "secret-payload"}), command("open", "secret-aggregate", "c3", order{}))
	c, _ := surroundedClient(func(context.Context, *muster.Command) error { return errors.New("gone") }, muster.Logging(log))
	if _, err := b.Open.Send(t.Context(), c, "secret-aggregate", order{}, muster.CommandID("c4")); err == nil {
		t.Error("sent")
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i, want := range []string{
		`"level":"INFO","msg":"command","stage":"handle","group":"accounts","type":"deposit","command_id":"c1","code":"NOT_FOUND"`,
		`"level":"WARN","msg":"command","stage":"handle","group":"accounts","type":"explode","command_id":"c2","code":"INTERNAL"`,
		`"level":"DEBUG","msg":"command","stage":"handle","group":"accounts","type":"open","command_id":"c3","code":"OK"`,
		`"level":"WARN","msg":"command","stage":"send","group":"accounts","type":"open","command_id":"c4","code":"UNAVAILABLE"`,
	} {
		if len(lines) != 4 || !strings.Contains(lines[i], want) {
			t.Fatalf("line %d of %d lacks %s:\n%s", i, len(lines), want, out.String())
		}
	}
	if strings.Contains(out.String(), "secret") {
		t.Errorf("something leaked:\n%s", out.String())
	}
	if !strings.Contains(lines[1], `"reason":"panic"`) || !strings.Contains(lines[0], `"partition":0`) || !strings.Contains(lines[0], `"attempt":1`) {
		t.Errorf("attributes are missing:\n%s", out.String())
	}
}
