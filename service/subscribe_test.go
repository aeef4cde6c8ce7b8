package service_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/service"
)

// A broadcast starts where it is told to, and each one sees everything from there.
func TestSubscribeStarts(t *testing.T) {
	st := newStage(t, anyBrokers(t), 3)
	st.topics()
	st.journalled("acc-1", 1, 10)
	st.nextMillisecond()
	st.journalled("acc-1", 11, 11)
	eleventh := st.lastWritten()
	st.nextMillisecond()
	late := st.journalled("acc-1", 12, 20)
	s := start(t, callerOf(st))
	at := late[3] // revision 15
	place := muster.Position{Topic: at.Topic, Partition: at.Partition, Offset: at.Offset}

	var latest, durable seen
	live := st.subscribe(s, muster.NewBroadcast(st.group, "live", muster.On(st.credited, latest.take)))
	kept := st.subscribe(s, muster.NewSubscription(st.group, "kept", muster.On(st.credited, durable.take)))
	st.until("the durable one has all", func() bool { return durable.count() >= 20 })

	for name, c := range map[string]struct {
		opts  []muster.SubscriptionOption
		first uint64
	}{
		"earliest": {[]muster.SubscriptionOption{muster.FromEarliest()}, 1},
		"after":    {[]muster.SubscriptionOption{muster.After(place)}, 16},
		"time":     {[]muster.SubscriptionOption{muster.FromTime(eleventh)}, 11},
		"inside":   {[]muster.SubscriptionOption{muster.FromTime(eleventh.Add(time.Millisecond - 1))}, 11},
		"next":     {[]muster.SubscriptionOption{muster.FromTime(eleventh.Add(time.Millisecond))}, 12},
		"future":   {[]muster.SubscriptionOption{muster.FromTime(eleventh.Add(time.Hour))}, 21},
	} {
		var got seen
		opts := append(slices.Clip(c.opts), muster.On(st.credited, got.take), muster.UntilEnd())
		if err := s.Subscribe(st.within(), muster.NewBroadcast(st.group, name, opts...)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var want []uint64
		for r := c.first; r <= 20; r++ {
			want = append(want, r)
		}
		if !slices.Equal(got.revisions("acc-1"), want) {
			t.Errorf("%s: revisions %v; want %v", name, got.revisions("acc-1"), want)
		}
	}
	// the live one may not have begun; what it gets, it gets from one event on
	for r := 21; latest.count() == 0; r++ {
		st.journalled("acc-1", r, r)
		st.until("the durable one has it", func() bool { return durable.count() >= r })
	}
	if first := latest.metas()[0]; first.Revision <= 20 || first.Position().Topic != st.group.JournalTopic("") || first.Attempt != 1 {
		t.Errorf("the first event of the latest ones: %+v", first)
	}
	if err := errors.Join(live.end(), kept.end()); err != nil {
		t.Error(err)
	}
}

// A durable subscription goes on where it was, whatever its start says, also when it began with the latest and saw nothing.
func TestSubscribeGoesOn(t *testing.T) {
	st := newStage(t, anyBrokers(t), 1)
	st.topics()
	st.journalled("acc-1", 1, 5)
	s := start(t, callerOf(st))
	var first, second, third seen
	sub := func(to *seen) *muster.Subscription {
		return muster.NewSubscription(st.group, "mailer", muster.FromLatest(), muster.On(st.credited, to.take))
	}
	began := st.subscribe(s, sub(&first))
	st.until("its starting place is kept", func() bool { return st.keptPlace(st.callerName(s)+"/mailer") == 5 })
	if err := began.end(); err != nil {
		t.Error(err)
	}
	st.journalled("acc-1", 6, 8)
	again := st.subscribe(s, sub(&second))
	st.until("what came meanwhile is read", func() bool { return second.count() >= 3 })
	if err := again.end(); err != nil {
		t.Error(err)
	}
	st.journalled("acc-1", 9, 9)
	last := st.subscribe(s, sub(&third))
	st.until("the next one is read", func() bool { return third.count() > 0 })
	if err := last.end(); err != nil {
		t.Error(err)
	}
	if first.count() != 0 || !slices.Equal(second.revisions("acc-1"), []uint64{6, 7, 8}) || !slices.Equal(third.revisions("acc-1"), []uint64{9}) {
		t.Errorf("revisions %v, %v, %v; want none, 6 to 8, 9", first.revisions("acc-1"), second.revisions("acc-1"), third.revisions("acc-1"))
	}
	// another service with the same name of a subscription has a place of its own
	var other seen
	stranger := start(t, callerOf(st))
	all := st.subscribe(stranger, muster.NewSubscription(st.group, "mailer", muster.On(st.credited, other.take)))
	st.until("it reads from the beginning", func() bool { return other.count() >= 9 })
	if err := all.end(); err != nil {
		t.Error(err)
	}
}

// Filters pass over what is not wanted; events without a function of their own go to OnOthers, or nowhere.
func TestSubscribeFilters(t *testing.T) {
	st := newStage(t, anyBrokers(t), 3)
	owner := st.open()
	for i := range 4 {
		id := fmt.Sprintf("acc-%d", i)
		if _, err := st.deposit.Call(t.Context(), owner.Client(), id, deposit{Amount: 5}, muster.CommandID("c-"+id), muster.Correlation("talk")); err != nil {
			t.Fatal(err)
		}
		if _, err := st.withdraw.Call(t.Context(), owner.Client(), id, withdraw{Amount: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		opts []muster.SubscriptionOption
		want int
	}{
		"types":       {nil, 4},
		"aggregates":  {[]muster.SubscriptionOption{muster.OfAggregates("acc-1", "acc-2")}, 2},
		"cause":       {[]muster.SubscriptionOption{muster.CausedBy("c-acc-3")}, 1},
		"correlation": {[]muster.SubscriptionOption{muster.Correlated("talk")}, 4},
		"predicate":   {[]muster.SubscriptionOption{muster.Where(func(e *muster.Event) bool { return e.AggregateID != "acc-0" })}, 3},
		"others": {[]muster.SubscriptionOption{muster.OfAggregates("acc-1"), muster.OnOthers(func(_ context.Context, e *muster.Event) error {
			if e.Type != "bank.Debited" {
				return fmt.Errorf("%s", e.Type)
			}
			return nil
		})}, 1},
	} {
		var got seen
		opts := append(slices.Clip(c.opts), muster.On(st.credited, got.take), muster.FromEarliest(), muster.UntilEnd(), muster.HandlerFaults(muster.FaultStop))
		if err := owner.Subscribe(st.within(), muster.NewBroadcast(st.group, name, opts...)); err != nil || got.count() != c.want {
			t.Errorf("%s: %d events, %v; want %d", name, got.count(), err, c.want)
		}
	}
}

// What an aborted transaction wrote is never seen, what an open one has written is seen when it is committed, and is later than the latest.
func TestSubscribeSeesWhatIsCommitted(t *testing.T) {
	st := newStage(t, anyBrokers(t), 1)
	st.topics()
	st.journalled("acc-1", 1, 2)
	aborted := st.transaction("aborted", st.event("acc-1", "never", 3, "1000"))
	if err := aborted.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	open := st.transaction("open", st.event("acc-1", "c3", 3, "1"))
	s := start(t, callerOf(st))
	var earliest, latest seen
	end, err := s.JournalEnd(t.Context(), st.group)
	if err != nil {
		t.Fatal(err)
	}
	all := st.subscribe(s, muster.NewSubscription(st.group, "all", muster.On(st.credited, earliest.take)))
	st.until("what is committed is seen", func() bool { return earliest.count() >= 2 })
	if err := open.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	st.journalled("acc-1", 4, 4)
	late := st.subscribe(s, muster.NewBroadcast(st.group, "latest", muster.After(end...), muster.On(st.credited, latest.take)))
	st.until("both have the rest", func() bool { return earliest.count() >= 4 && latest.count() >= 2 })
	if err := errors.Join(all.end(), late.end()); err != nil {
		t.Error(err)
	}
	if !slices.Equal(earliest.revisions("acc-1"), []uint64{1, 2, 3, 4}) || !slices.Equal(latest.revisions("acc-1"), []uint64{3, 4}) {
		t.Errorf("revisions %v and %v; want 1 to 4, and 3 and 4", earliest.revisions("acc-1"), latest.revisions("acc-1"))
	}
	for _, m := range earliest.metas() {
		if m.CausationID == "never" {
			t.Errorf("an event of an aborted transaction was seen: %+v", m)
		}
	}
}

// What cannot work is refused, with the next step.
func TestSubscribeRefuses(t *testing.T) {
	st := newStage(t, anyBrokers(t), 1)
	st.topics()
	s := start(t, callerOf(st))
	var got seen
	on := muster.On(st.credited, got.take)
	place := muster.Position{Topic: st.group.JournalTopic(""), Offset: 99}
	if err := s.Subscribe(t.Context(), muster.NewBroadcast(st.group, "cut", on, muster.After(place))); !errors.Is(err, consumer.ErrDataLoss) {
		t.Errorf("a position the journal does not have: %v", err)
	}
	for name, sub := range map[string]*muster.Subscription{
		"no functions": muster.NewBroadcast(st.group, "none"),
		"bad name":     muster.NewBroadcast(st.group, "no/slash", on),
		"until":        muster.NewSubscription(st.group, "until", on, muster.UntilEnd()),
		"twice":        muster.NewBroadcast(st.group, "twice", on, on),
		"foreign":      muster.NewBroadcast(muster.NewGroup("other"), "foreign", on),
		"position":     muster.NewBroadcast(st.group, "position", on, muster.After(muster.Position{Topic: "x"})),
	} {
		if err := s.Subscribe(t.Context(), sub); err == nil {
			t.Errorf("%s: it runs", name)
		}
	}
	sub := muster.NewSubscription(st.group, "same", on)
	if _, err := service.Open(t.Context(), callerOf(st), sub, sub); err == nil {
		t.Error("two parts with one name open")
	}
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	missing := muster.NewGroup(st.group.Name() + "-missing")
	_, err := muster.Await(short, s, missing)
	if err == nil {
		t.Error("a group without topics is read")
	}
}
