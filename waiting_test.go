package muster_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed-3eec0498/muster"
)

// Whatever commands ask for another try, in whatever batches and slices, with aborts and takeovers between them: each command has one effect
// and one answer, each aggregate's events stand in the order of its commands, and who does not wait behind another one is answered at once.
func TestCommandsWaitInOrderAndTakeEffectOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newFlaky()
		w := newWorld(drawn{t, rt}, f.bank.Account.Behaviour())
		w.config.MaxWaiting = rapid.IntRange(1, 12).Draw(rt, "bound")
		w.config.Retry = muster.RetryPolicy{Attempts: 4}
		w.config.Residents = rapid.IntRange(1, 4).Draw(rt, "residents")
		w.parallel = rapid.Bool().Draw(rt, "parallel")
		w.restart()
		q, fate := newQueue(w), map[string]string{}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			for range rapid.IntRange(0, 6).Draw(rt, "sent") {
				id := fmt.Sprint("c", len(q.log))
				text := rapid.SampledFrom([]string{"", "", "", "refuse", "drop", "never"}).Draw(rt, "text")
				fate[id] = text
				q.send(command("hooked", rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "aggregate"), id,
					order{Text: text, Times: rapid.IntRange(0, 2).Draw(rt, "times")}))
			}
			w.slice = rapid.IntRange(1, 6).Draw(rt, "slice")
			waited := map[string]bool{}
			for _, h := range q.held {
				waited[h.cmd.AggregateID] = true
			}
			batch := q.poll(5)
			room := w.config.MaxWaiting - len(q.held)
			taken := q.step(5, rapid.IntRange(0, 1).Draw(rt, "aborts"))
			if len(batch) <= room && taken != len(batch) {
				rt.Fatalf("%d of %d commands taken, though there was room for %d to wait", taken, len(batch), room)
			}
			for _, cmd := range batch[:taken] {
				if !waited[cmd.AggregateID] && !q.waits(cmd.AggregateID) && len(q.replies[cmd.ID]) == 0 {
					rt.Fatalf("%s of %s was not answered, though nothing waits there", cmd.ID, cmd.AggregateID)
				}
			}
			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 300).Draw(rt, "ms")) * time.Millisecond)
			if rapid.IntRange(0, 4).Draw(rt, "takeover") == 0 {
				q.takeOver()
			}
		}
		q.drain(5)
		q.settled(rt, fate)
		live := w.store
		w.rebuild(3)
		sameStores(rt, live, w.store, eventAnswers)
	})
}

// settled holds what has become of all commands against what should have.
func (q *queue) settled(t *rapid.T, fate map[string]string) {
	gapless(t, q.w.journal)
	wantEvents, wantDead := map[string][]string{}, []string{}
	for _, cmd := range q.log {
		code, reason := muster.OK, ""
		switch fate[cmd.ID] {
		case "refuse":
			code = muster.FailedPrecondition
		case "drop":
			code, reason = muster.Internal, muster.ReasonDropped
		case "never":
			code, reason = muster.Unavailable, muster.ReasonRetriesExhausted
		default:
			wantEvents[cmd.AggregateID] = append(wantEvents[cmd.AggregateID], cmd.ID)
		}
		if reason != "" {
			wantDead = append(wantDead, cmd.ID)
		}
		if got := q.replies[cmd.ID]; len(got) != 1 || got[0].Code != code || got[0].Reason != reason || got[0].Repeated {
			t.Fatalf("%s (%q) was answered %+v; want once, with %s %s", cmd.ID, fate[cmd.ID], got, code, reason)
		}
	}
	got := map[string][]string{}
	for _, e := range q.w.journal.events[0] {
		got[e.AggregateID] = append(got[e.AggregateID], e.CausationID)
	}
	if fmt.Sprint(got) != fmt.Sprint(wantEvents) {
		t.Fatalf("events of %v, want %v", got, wantEvents)
	}
	slices.Sort(q.dead)
	slices.Sort(wantDead)
	if !slices.Equal(q.dead, wantDead) {
		t.Fatalf("dead letters of %v, want %v", q.dead, wantDead)
	}
}

// A command is tried as often as the policy says, ever later, and then refused with its last cause; what waits behind it goes on.
func TestBudgetOfTries(t *testing.T) {
	f := newFlaky()
	w := newWorld(t, f.bank.Account.Behaviour())
	w.config.Jitter = func(string, int) float64 { return 1 }
	w.config.Retry = muster.RetryPolicy{Attempts: 5, First: 10 * time.Millisecond, Longest: 30 * time.Millisecond}
	w.restart()
	q := newQueue(w)
	q.send(command("hooked", "a", "c1", order{Text: "never"}), command("hooked", "a", "c2", order{}), command("hooked", "b", "c3", order{}))
	q.step(9, 0)
	if len(q.replies["c3"]) != 1 || len(q.replies["c2"]) != 0 || len(q.held) != 2 {
		t.Fatalf("after the first batch: replies %v, %d waiting; want c3's and two", q.replies, len(q.held))
	}
	var waits []string
	for len(q.held) > 0 {
		wait := q.held[0].wake.Sub(w.now)
		waits = append(waits, wait.String())
		w.now = w.now.Add(wait - time.Microsecond)
		if q.step(9, 0) != 0 {
			t.Fatal("it was handed in before its time")
		}
		w.now = w.now.Add(time.Microsecond)
		q.step(9, 0)
	}
	if got := strings.Join(waits, " "); got != "10ms 20ms 30ms 30ms" {
		t.Errorf("waits %s", got)
	}
	o := q.replies["c1"][0]
	if o.Code != muster.Unavailable || o.Reason != muster.ReasonRetriesExhausted || !o.Retry || !strings.Contains(o.Message, "rates are not there yet") {
		t.Errorf("answer %+v", o)
	}
	if len(q.replies["c2"]) != 1 || q.replies["c2"][0].Code != muster.OK || !slices.Equal(q.dead, []string{"c1"}) {
		t.Errorf("c2 %+v, dead %v", q.replies["c2"], q.dead)
	}
	if fmt.Sprint(f.seen["c1"]) != "[1 2 3 4 5]" || fmt.Sprint(f.seen["c2"]) != "[1]" {
		t.Errorf("attempts seen: %v", f.seen)
	}
}

// The budgets in time, the group's and the command's own deadline, end the tries before they are overrun; who waits behind and has a
// deadline is refused when it has passed, not later.
func TestBudgetOfTime(t *testing.T) {
	run := func(deadline time.Duration, opts ...muster.RetryOption) (*flaky, *queue) {
		f := newFlaky()
		f.opts = opts
		w := newWorld(t, f.bank.Account.Behaviour())
		w.config.Jitter = func(string, int) float64 { return 1 }
		w.config.Retry = muster.RetryPolicy{Attempts: 1000, Within: time.Second, First: 300 * time.Millisecond, Longest: 300 * time.Millisecond}
		w.restart()
		q := newQueue(w)
		first := command("hooked", "a", "c1", order{Text: "never"})
		if deadline > 0 {
			first.Deadline = epoch.Add(deadline)
		}
		second := command("hooked", "a", "c2", order{})
		second.Deadline = epoch.Add(-1800 * time.Millisecond) // and the tolerance is 2 s
		q.send(first, second)
		q.drain(9)
		if o := q.replies["c1"][0]; o.Reason != muster.ReasonRetriesExhausted || len(q.dead) != 2 {
			t.Errorf("answer %+v, dead %v", o, q.dead)
		}
		if o := q.replies["c2"][0]; o.Reason != muster.ReasonExpired || f.runs["c2"] != 0 {
			t.Errorf("answer of who waited too long %+v", o)
		}
		return f, q
	}
	if f, q := run(0); f.runs["c1"] != 4 || q.w.now.Sub(epoch) != 900*time.Millisecond {
		t.Errorf("%d executions in %v, want 4 in 900ms", f.runs["c1"], q.w.now.Sub(epoch))
	}
	if f, q := run(700 * time.Millisecond); f.runs["c1"] != 3 || q.w.now.Sub(epoch) != 600*time.Millisecond {
		t.Errorf("with a deadline after 700ms: %d executions in %v, want 3 in 600ms", f.runs["c1"], q.w.now.Sub(epoch))
	}
	if f, _ := run(0, muster.RetryWithin(2*time.Second), muster.RetryAfter(500*time.Millisecond)); f.runs["c1"] != 5 {
		t.Errorf("with a budget of its own: %d executions, want 5", f.runs["c1"])
	}
	if f, _ := run(0, muster.RetryAttempts(2)); f.runs["c1"] != 2 {
		t.Errorf("with two attempts: %d executions", f.runs["c1"])
	}
}

// ownError says by itself that a retry may help.
type ownError struct{ again bool }

func (e ownError) Error() string    { return "own" }
func (e ownError) RetryLater() bool { return e.again }

// An error's class decides, too; a query is answered at once whatever its handler says.
func TestWhoAsksForAnotherTry(t *testing.T) {
	b := newBank()
	w := newWorld(t, b.Account.Behaviour())
	answer := muster.NewQuery[order, account](b.Group, "flaky-query")
	muster.Answer(b.Account, answer, func(_ context.Context, _ muster.State[account], _ order) (account, error) {
		return account{}, muster.RetryLater(ownError{})
	})
	again := true
	b.Hook = func(_ context.Context, _ *muster.Root[account], _ order) (account, error) {
		return account{}, ownError{again}
	}
	q := newQueue(w)
	q.send(command("hooked", "a", "c1", order{}), command("flaky-query", "b", "q1", order{}))
	q.step(9, 0)
	if len(q.held) != 1 || len(q.replies["c1"]) != 0 || q.retries != 1 {
		t.Errorf("%d waiting, replies %v", len(q.held), q.replies)
	}
	if o := q.replies["q1"][0]; o.Code != muster.Unavailable || !o.Retry || len(q.dead) != 0 {
		t.Errorf("query: %+v, dead %v", o, q.dead)
	}
	again = false
	q.drain(9)
	if o := q.replies["c1"][0]; o.Code != muster.Unknown || o.Message != "own" {
		t.Errorf("without the class: %+v", o)
	}
}

// No more commands wait than may: the round ends before one too many, and goes on when there is room.
func TestBoundOfWaitingCommands(t *testing.T) {
	f := newFlaky()
	w := newWorld(t, f.bank.Account.Behaviour())
	w.config.MaxWaiting, w.slice = 3, 64
	w.restart()
	q := newQueue(w)
	for n := range 9 {
		q.send(command("hooked", "a", fmt.Sprint("c", n), order{Times: 1}))
	}
	q.send(command("hooked", "b", "c9", order{}))
	if taken := q.step(64, 0); taken != 3 || len(q.held) != 3 {
		t.Fatalf("%d taken, %d wait; want 3 and 3", taken, len(q.held))
	}
	if taken := q.step(64, 0); taken != 0 {
		t.Fatalf("%d taken while no more may wait", taken)
	}
	for len(q.held) > 0 || int(q.progress.Next) < len(q.log) {
		if len(q.held) > 3 {
			t.Fatalf("%d wait", len(q.held))
		}
		w.now = w.now.Add(time.Minute / 10)
		q.step(64, 0)
	}
	for n := range 10 {
		if got := q.replies[fmt.Sprint("c", n)]; len(got) != 1 || got[0].Code != muster.OK {
			t.Errorf("c%d was answered %v", n, got)
		}
	}
}
