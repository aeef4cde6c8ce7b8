package service_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

// Two instances of a service share a durable subscription; one joins, one leaves, in the middle of it. No event is lost, and each
// aggregate's come in order; a broadcast beside it sees all of them at both.
func TestSubscribeShared(t *testing.T) {
	st := newStage(t, anyBrokers(t), 4)
	st.topics()
	const accounts = 8
	account := func(i int) string { return fmt.Sprintf("acc-%d", i) }
	events := 0 // of each account
	write := func() {
		for i := range accounts {
			st.journalled(account(i), events+1, events+20)
		}
		events += 20
	}
	name := kafkatest.UniqueName(t, "listener")
	var all seen
	var own, told [2]seen
	running := make([]*listening, 0, 4)
	listen := func(i int) {
		cfg := callerOf(st)
		cfg.Name, cfg.SessionTimeout = name, session
		s := start(t, cfg)
		running = append(running, st.subscribe(s, muster.NewSubscription(st.group, "shared", muster.On(st.credited, func(_ context.Context, _ credited, m muster.Meta) error {
			all.add(m)
			own[i].add(m)
			return nil
		}))), st.subscribe(s, muster.NewBroadcast(st.group, "each", muster.FromEarliest(), muster.On(st.credited, told[i].take))))
	}
	write()
	listen(0)
	st.until("the first instance has begun", func() bool { return own[0].count() > 0 })
	listen(1)
	st.until("the second instance has some of them", func() bool {
		write()
		return own[1].count() > 0
	})
	if err := running[0].end(); err != nil { // the first one leaves
		t.Error(err)
	}
	write()
	distinct := func(s *seen) int {
		ids := map[string]bool{}
		for _, m := range s.metas() {
			ids[m.ID] = true
		}
		return len(ids)
	}
	until(t, "every event has been handled", time.Minute, func() bool { return distinct(&all) == accounts*events })
	until(t, "both broadcasts have every event", time.Minute, func() bool { return told[0].count() == accounts*events && told[1].count() == accounts*events })
	for _, l := range running {
		if err := l.end(); err != nil {
			t.Error(err)
		}
	}
	for i := range accounts {
		all.wantInOrder(t, account(i), events)
		told[0].wantInOrder(t, account(i), events)
		if r := all.revisions(account(i)); !slices.IsSorted(r) || len(r) != events {
			t.Errorf("%s: %d deliveries, sorted %v; an orderly move repeats nothing", account(i), len(r), slices.IsSorted(r))
		}
	}
}

// A member that dies without a word: what it had not committed comes again elsewhere, nothing is lost. The function ignores nothing, so the
// death is played by ending its context while the group hears nothing of it.
func TestSubscribeHandlesAtLeastOnce(t *testing.T) {
	st := newStage(t, anyBrokers(t), 1)
	st.topics()
	st.journalled("acc-1", 1, 10)
	s := start(t, callerOf(st))
	var first, second seen
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Subscribe(ctx, muster.NewSubscription(st.group, "once", muster.On(st.credited, func(_ context.Context, _ credited, m muster.Meta) error {
		if m.Revision == 4 {
			cancel() // in the middle of handling it: it is not handled
			return errors.New("cut short")
		}
		first.add(m)
		return nil
	})))
	if err != nil {
		t.Errorf("Subscribe: %v; want nil at the end of its context", err)
	}
	l := st.subscribe(s, muster.NewSubscription(st.group, "once", muster.On(st.credited, second.take)))
	st.until("the rest is handled", func() bool { return second.count() == 7 })
	if err := l.end(); err != nil {
		t.Error(err)
	}
	if !slices.Equal(first.revisions("acc-1"), []uint64{1, 2, 3}) || second.revisions("acc-1")[0] != 4 {
		t.Errorf("revisions %v, then %v; want 1 to 3, then from 4 on", first.revisions("acc-1"), second.revisions("acc-1"))
	}
}
