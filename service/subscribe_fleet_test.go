package service_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

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
		cfg.Name, cfg.SessionTimeout = name, patientSession // nobody dies here; a member that was taken for dead would have its events repeated
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
	eventually(t, "every event has been handled", func() bool { return distinct(&all) == accounts*events })
	eventually(t, "both broadcasts have every event", func() bool { return told[0].count() >= accounts*events && told[1].count() >= accounts*events })
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

// A member is cut off without a word and comes back later: others take its partitions over after the session, events that were handled and not
// committed come again, none is lost, and the returned one does not move the places back.
func TestSubscribeCutOff(t *testing.T) {
	st := newStage(t, anyBrokers(t), 2)
	st.topics()
	account, other := st.in(0, 1)[0], st.in(1, 1)[0]
	write := func(from, to int) {
		st.journalled(account, from, to)
		st.journalled(other, from, to)
	}
	var all, second seen
	line := &kafkatest.Tap{}
	cfg := callerOf(st)
	cfg.SessionTimeout = patientSession
	lone := cfg
	lone.Kafka.Options, lone.SessionTimeout = line.Option(), session
	sub := func(more func(muster.Meta)) *muster.Subscription {
		return muster.NewSubscription(st.group, "cut", muster.On(st.credited, func(_ context.Context, _ credited, m muster.Meta) error {
			all.add(m)
			more(m)
			return nil
		}))
	}
	write(1, 10)
	one, two := start(t, lone), start(t, cfg)
	first := st.subscribe(one, sub(func(muster.Meta) {}))
	st.until("the first has both partitions", func() bool { // its session is short: what it had may have come again
		return slices.Contains(all.revisions(account), 10) && slices.Contains(all.revisions(other), 10)
	})
	line.Sever()
	write(11, 20)
	next := st.subscribe(two, sub(second.add))
	has := func(m int) bool {
		return slices.Contains(second.revisions(account), uint64(m)) && slices.Contains(second.revisions(other), uint64(m))
	}
	eventually(t, "the second has taken over", func() bool { return has(20) })
	line.Mend()
	write(21, 30)
	done := func() bool {
		return slices.Contains(all.revisions(account), 30) && slices.Contains(all.revisions(other), 30)
	}
	eventually(t, "all is handled by one of them", done)
	if err := errors.Join(first.end(), next.end()); err != nil {
		t.Error(err)
	}
	all.wantInOrder(t, account, 30)
	all.wantInOrder(t, other, 30)
	again := seen{}
	write(31, 31)
	last := st.subscribe(two, muster.NewSubscription(st.group, "cut", muster.On(st.credited, again.take)))
	st.until("the last ones are handled", func() bool { return again.count() >= 2 })
	if err := last.end(); err != nil {
		t.Error(err)
	}
	for _, m := range again.metas() {
		if m.Revision != 31 {
			t.Errorf("revision %d came again after both had left in order", m.Revision)
		}
	}
}

// An event that was not handled when the context ended is the first one the next time.
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
	st.until("the rest is handled", func() bool { return second.count() >= 7 })
	if err := l.end(); err != nil {
		t.Error(err)
	}
	if !slices.Equal(first.revisions("acc-1"), []uint64{1, 2, 3}) || second.revisions("acc-1")[0] != 4 {
		t.Errorf("revisions %v, then %v; want 1 to 3, then from 4 on", first.revisions("acc-1"), second.revisions("acc-1"))
	}
}
