package service_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

// rates is something a handler needs that is not there until the test says so. Deposits on accounts whose names begin with "hot" need it;
// negative ones are dropped.
type rates struct {
	there atomic.Bool
	opts  []muster.RetryOption

	mu   sync.Mutex // guards what follows
	runs map[string]int
	last map[string]int // Attempt of the last execution
}

func newRates(opts ...muster.RetryOption) *rates {
	return &rates{opts: opts, runs: map[string]int{}, last: map[string]int{}}
}

func (r *rates) owner(st *stage) *muster.Aggregate[*account] {
	return st.owner(func(_ context.Context, root *muster.Root[*account], in deposit) (account, error) {
		r.mu.Lock()
		r.runs[root.Meta().ID]++
		r.last[root.Meta().ID] = root.Meta().Attempt
		r.mu.Unlock()
		st.credited.Emit(root, credited(in))
		switch {
		case in.Amount < 0:
			return account{}, muster.Drop("negative amount")
		case root.ID()[:3] == "hot" && !r.there.Load():
			return account{}, muster.RetryLater(errors.New("no rates yet"), r.opts...)
		}
		return *root.State(), nil
	})
}

func (r *rates) ran(id string) (times, attempt int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.runs[id], r.last[id]
}

// send writes a deposit without waiting for its outcome.
func (st *stage) send(s *running, account, id string, amount int64) {
	st.t.Helper()
	if _, err := st.deposit.Send(st.within(), s.Client(), account, deposit{Amount: amount}, muster.CommandID(id)); err != nil {
		st.t.Fatal(err)
	}
}

// deadLetters gives the command ids of all committed dead letters of a group, sorted.
func deadLetters(t *testing.T, brokers []string, group *muster.Group) (ids []string) {
	t.Helper()
	for _, r := range committedRecords(t, brokers, group.DeadLetterTopic("")) {
		d, err := kafka.DecodeDeadLetter(r, group)
		if err != nil {
			t.Error(err)
		}
		ids = append(ids, d.Command.ID)
	}
	slices.Sort(ids)
	return ids
}

// One aggregate waits for another try, with commands behind it, while a thousand others of its partition pass; then it goes on, in order.
func TestRetryHoldsUpItsAggregateOnly(t *testing.T) {
	st, r := newStage(t, anyBrokers(t), 1), newRates()
	cfg := st.config()
	cfg.Retry = muster.RetryPolicy{Attempts: 1_000_000, Within: time.Hour, First: time.Millisecond, Longest: 20 * time.Millisecond}
	s := start(t, cfg, r.owner(st))
	for n := range 3 {
		st.send(s, "hot", fmt.Sprint("hot-", n), 1)
	}
	st.until("three commands wait", func() bool { return s.Status()[0].Waiting == 3 })
	st.deposits("other", 1000, 50, 32, s)
	if runs, _ := r.ran("hot-1"); runs != 0 || s.Status()[0].Waiting != 3 || s.Status()[0].Crowded {
		t.Errorf("hot-1 was executed %d times; status %+v", runs, s.Status()[0])
	}
	if n := st.counter("muster_waiting_commands", nil); n != 3 {
		t.Errorf("muster_waiting_commands is %v", n)
	}
	r.there.Store(true)
	if err := st.teller(s, "hot", "hot-3"); err != nil {
		t.Fatal(err)
	}
	runs, attempt := r.ran("hot-0")
	if retries := st.counter("muster_retries_total", nil); runs < 2 || attempt != runs || int(retries) != runs-1 {
		t.Errorf("hot-0 ran %d times, the last time as attempt %d; muster_retries_total is %v", runs, attempt, retries)
	}
	j := st.journal()
	var order []string
	for _, e := range j.Events[0] {
		if e.AggregateID == "hot" {
			order = append(order, e.CausationID)
		}
	}
	if !slices.Equal(order, []string{"hot-0", "hot-1", "hot-2", "hot-3"}) || j.Len() != 1004 {
		t.Errorf("events of %v, %d in all; want those of four in order, 1004 in all", order, j.Len())
	}
	if dead := deadLetters(t, st.brokers, st.group); len(dead) != 0 {
		t.Errorf("dead letters of %v", dead)
	}
}

// A budget that is used up and a command that is dropped are typed refusals and dead letters, and the next command proceeds.
func TestRetryBudgetAndDrop(t *testing.T) {
	st, r := newStage(t, anyBrokers(t), 1), newRates()
	cfg := st.config()
	cfg.GroupRetry = map[string]muster.RetryPolicy{st.group.Name(): {Attempts: 3, First: time.Millisecond}}
	s := start(t, cfg, r.owner(st))
	_, err := st.deposit.Call(st.within(), s.Client(), "hot", deposit{Amount: 1}, muster.CommandID("c1"))
	if muster.CodeOf(err) != muster.Unavailable || muster.ReasonOf(err) != muster.ReasonRetriesExhausted {
		t.Errorf("exhausted: %v", err)
	}
	if runs, _ := r.ran("c1"); runs != 3 {
		t.Errorf("executed %d times, want 3", runs)
	}
	_, err = st.deposit.Call(st.within(), s.Client(), "hot", deposit{Amount: -1}, muster.CommandID("c2"))
	if muster.CodeOf(err) != muster.Internal || muster.ReasonOf(err) != muster.ReasonDropped {
		t.Errorf("dropped: %v", err)
	}
	r.there.Store(true)
	st.served(s, "hot")
	if dead := deadLetters(t, st.brokers, st.group); !slices.Equal(dead, []string{"c1", "c2"}) {
		t.Errorf("dead letters of %v", dead)
	}
	group := map[string]string{"group": st.group.Name()}
	if n := st.counter("muster_retries_exhausted_total", group); n != 1 {
		t.Errorf("muster_retries_exhausted_total is %v", n)
	}
	if n := st.counter("muster_waiting_commands", group); n != 0 || s.Status()[0].Waiting != 0 {
		t.Errorf("%v still wait", n)
	}
}

// An owner that stops leaves what waits to the next one, at once. That one takes up exactly what waits: what was dropped or refused among it
// is not executed again.
func TestRetryIsTakenOver(t *testing.T) {
	st, r := newStage(t, anyBrokers(t), 1), newRates(muster.RetryAfter(time.Hour), muster.RetryWithin(2*time.Hour))
	s := start(t, st.config(), r.owner(st))
	caller := start(t, callerOf(st))
	const rounds = 20
	var dropped, once []string
	for n := range rounds {
		st.send(caller, fmt.Sprint("hot-", n%3), fmt.Sprint("waits-", n), 1)
		dropped = append(dropped, fmt.Sprint("drop-", n))
		st.send(caller, "cold", dropped[n], -1)
		once = append(once, fmt.Sprint("once-", n))
		st.send(caller, fmt.Sprint("cold-", n%3), once[n], 1)
	}
	st.until("everything is decided", func() bool {
		return s.Status()[0].Waiting == rounds && st.counter("muster_events_total", nil) == rounds
	})
	began := time.Now()
	s.end()
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it ended after %v; waiting commands are no reason to stay", took)
	}
	r.there.Store(true)
	cfg := st.config() // another directory: nothing is known but what Kafka has
	heir := start(t, cfg, r.owner(st))
	st.until("what waited is done", func() bool { return st.journal().Len() == 2*rounds })
	if err := st.teller(heir, "hot-0", "last"); err != nil {
		t.Error(err)
	}
	slices.Sort(dropped)
	if dead := deadLetters(t, st.brokers, st.group); !slices.Equal(dead, dropped) {
		t.Errorf("dead letters of %v, want one of each of %v", dead, dropped)
	}
	for _, id := range slices.Concat(dropped, once) {
		if runs, _ := r.ran(id); runs != 1 {
			t.Errorf("%s was executed %d times", id, runs)
		}
	}
	j := st.journal()
	var order []string
	for _, e := range j.Events[0] {
		if e.AggregateID == "hot-1" {
			order = append(order, e.CausationID)
		}
	}
	if want := []string{"waits-1", "waits-4", "waits-7", "waits-10", "waits-13", "waits-16", "waits-19"}; !slices.Equal(order, want) {
		t.Errorf("events of hot-1 are those of %v, want %v", order, want)
	}
	if heir.Status()[0].Waiting != 0 {
		t.Errorf("status %+v", heir.Status()[0])
	}
}

// As many commands wait as may: the partition takes in nothing new, says so, and goes on once there is room.
func TestRetryCrowdedPartition(t *testing.T) {
	st, r := newStage(t, anyBrokers(t), 1), newRates()
	cfg, log := st.config(), &logLines{}
	cfg.Retry, cfg.MaxWaiting, cfg.Logger = muster.RetryPolicy{Attempts: 1_000_000, Within: time.Hour, Longest: 20 * time.Millisecond}, 4, log.logger()
	s := start(t, cfg, r.owner(st))
	for n := range 9 {
		st.send(s, "hot", fmt.Sprint("hot-", n), 1)
	}
	st.send(s, "cold", "cold-0", 1)
	st.until("the partition is crowded", func() bool { return s.Status()[0].Crowded && st.counter("muster_crowded_partitions", nil) == 1 })
	if n := s.Status()[0].Waiting; n != 4 {
		t.Errorf("%d commands wait, want 4", n)
	}
	r.there.Store(true)
	st.until("all are done", func() bool { return st.counter("muster_events_total", nil) == 10 })
	st.until("nothing waits", func() bool { return s.Status()[0].Waiting == 0 && !s.Status()[0].Crowded })
	if j := st.journal(); j.Len() != 10 {
		t.Errorf("%d events, want 10", j.Len())
	}
	for _, want := range []string{"as many commands wait for another try as may", "are handed out again"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q", want)
		}
	}
}

func TestRetrySettingsAreChecked(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	cfg := st.config()
	cfg.Retry.Attempts, cfg.MaxWaiting = -1, 501
	cfg.GroupRetry = map[string]muster.RetryPolicy{"elsewhere": {Within: time.Microsecond}}
	_, err := service.Open(st.within(), cfg, st.owner(nil))
	for _, want := range []string{"Attempts is -1", "MaxWaiting is 501", "GroupRetry of elsewhere", "which this service does not own"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open: %v; want it to say %q", err, want)
		}
	}
}
