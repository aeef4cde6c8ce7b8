package service_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
)

// listener is a service that owns nothing, with the metrics of the stage.
func (st *stage) listener() *running {
	st.t.Helper()
	cfg := callerOf(st)
	cfg.Metrics = st.metrics
	return start(st.t, cfg)
}

// A function that fails or panics gets the event again until it is handled; the partition's later events wait, other partitions do not.
func TestSubscribeRetries(t *testing.T) {
	st := newStage(t, anyBrokers(t), 2)
	st.topics()
	sick, well := st.in(0, 1)[0], st.in(1, 1)[0]
	st.journalled(sick, 1, 3)
	st.journalled(well, 1, 3)
	s := st.listener()
	var got seen
	var tries atomic.Int32
	l := st.subscribe(s, muster.NewSubscription(st.group, "sick", muster.On(st.credited, func(_ context.Context, _ credited, m muster.Meta) error {
		if m.AggregateID == sick && m.Revision == 2 {
			if n := tries.Add(1); int(n) != m.Attempt {
				t.Errorf("try %d says that it is attempt %d", n, m.Attempt)
			} else if n == 1 {
				return errors.New("not now")
			} else if n == 2 {
				var nothing *account
				nothing.Balance++
			}
		}
		got.add(m)
		return nil
	})))
	st.until("all are handled", func() bool { return got.count() >= 6 })
	if err := l.end(); err != nil {
		t.Error(err)
	}
	got.wantInOrder(t, sick, 3)
	got.wantInOrder(t, well, 3)
	labels := func(reason string) map[string]string {
		return map[string]string{"group": st.group.Name(), "subscription": "sick", "reason": reason}
	}
	handlers, panics := st.counter("muster_subscription_faults_total", labels("handler")), st.counter("muster_subscription_faults_total", labels("panic"))
	events := st.counter("muster_subscription_events_total", map[string]string{"subscription": "sick"})
	if handlers != 1 || panics != 1 || events != 6 {
		t.Errorf("%v errors, %v panics, %v events counted; want 1, 1, 6", handlers, panics, events)
	}
}

// A subscription that stops at a fault says which, and begins with that event the next time.
func TestSubscribeStopsAtAFault(t *testing.T) {
	st := newStage(t, anyBrokers(t), 1)
	st.topics()
	st.journalled("acc-1", 1, 5)
	s := st.listener()
	var first, second seen
	errBroken := errors.New("broken")
	err := s.Subscribe(st.within(), muster.NewSubscription(st.group, "strict", muster.HandlerFaults(muster.FaultStop),
		muster.On(st.credited, func(ctx context.Context, e credited, m muster.Meta) error {
			if m.Revision == 3 {
				return errBroken
			}
			return first.take(ctx, e, m)
		})))
	fault, is := errors.AsType[*muster.EventFault](err)
	if !is || !errors.Is(err, errBroken) || fault.Position.Offset != 2 || fault.Reason != muster.ReasonHandler {
		t.Errorf("it ended with %v", err)
	}
	l := st.subscribe(s, muster.NewSubscription(st.group, "strict", muster.On(st.credited, second.take)))
	st.until("the rest is handled", func() bool { return second.count() >= 3 })
	if err := l.end(); err != nil {
		t.Error(err)
	}
	if !slices.Equal(first.revisions("acc-1"), []uint64{1, 2}) || !slices.Equal(second.revisions("acc-1"), []uint64{3, 4, 5}) {
		t.Errorf("revisions %v, then %v; want 1 and 2, then 3 to 5", first.revisions("acc-1"), second.revisions("acc-1"))
	}
}

// An event that cannot be decoded, a malformed record, a type the contract does not have, a record that is no event: each with its policy.
func TestSubscribePolicies(t *testing.T) {
	st := newStage(t, anyBrokers(t), 1)
	st.topics()
	garbled := st.event("acc-1", "c2", 2, `"no number"`)
	malformed := st.event("acc-1", "c3", 3, "1")
	for i := range malformed.Headers {
		if malformed.Headers[i].Key == "muster-count" {
			malformed.Headers[i].Value = []byte("many")
		}
	}
	unknown := st.event("acc-1", "c4", 4, "1")
	for i := range unknown.Headers {
		if unknown.Headers[i].Key == "ce_type" {
			unknown.Headers[i].Value = []byte("bank.FromTheFuture")
		}
	}
	foreign := &kgo.Record{Topic: st.group.JournalTopic(""), Key: []byte("k"), Value: []byte("v")}
	st.write(st.event("acc-1", "c1", 1, "1"), garbled, malformed, unknown, foreign, st.event("acc-1", "c5", 5, "1"))
	s := st.listener()
	for name, c := range map[string]struct {
		opts   []muster.SubscriptionOption
		reason string
		want   []uint64
	}{
		"skip":        {[]muster.SubscriptionOption{muster.UndecodableEvents(muster.FaultSkip)}, "", []uint64{1, 5}},
		"undecodable": {[]muster.SubscriptionOption{muster.UndecodableEvents(muster.FaultStop)}, muster.ReasonUndecodable, []uint64{1}},
		"unknown":     {[]muster.SubscriptionOption{muster.UndecodableEvents(muster.FaultSkip), muster.UnknownEvents(muster.FaultStop)}, muster.ReasonUnknownType, []uint64{1}},
	} {
		for _, reading := range [][]muster.SubscriptionOption{{muster.FromEarliest()}, {muster.FromEarliest(), muster.UntilEnd()}} {
			var got seen
			ctx, done := context.WithCancel(st.within())
			opts := append(append(reading, c.opts...), muster.On(st.credited, func(ctx context.Context, e credited, m muster.Meta) error {
				defer func() {
					if m.Revision == 5 {
						done()
					}
				}()
				return got.take(ctx, e, m)
			}))
			err := s.Subscribe(ctx, muster.NewBroadcast(st.group, name, opts...))
			done()
			fault, is := errors.AsType[*muster.EventFault](err)
			if !slices.Equal(got.revisions("acc-1"), c.want) || is != (c.reason != "") || is && fault.Reason != c.reason || !is && err != nil {
				t.Errorf("%s: revisions %v, %v; want %v and reason %q", name, got.revisions("acc-1"), err, c.want, c.reason)
			}
		}
	}
	if n := st.counter("muster_subscription_faults_total", map[string]string{"subscription": "skip", "reason": muster.ReasonBadRecord}); n != 2 {
		t.Errorf("%v malformed records counted; want one per reading", n)
	}
}

// A subscriber that is too slow holds a bounded part of the journal in memory and gets all of it; others do not notice.
func TestSubscribeTooSlow(t *testing.T) {
	st := newStage(t, anyBrokers(t), 1)
	st.topics()
	const events = 60
	var records []*kgo.Record
	for r := 1; r <= events; r++ {
		e := st.event("acc-1", "c", uint64(r), "1")
		e.Value = []byte(`{"Amount":1,"Filler":"` + strings.Repeat("x", 100<<10) + `"}`)
		records = append(records, e)
	}
	st.write(records...)
	s := st.listener()
	var slow, quick seen
	open := make(chan struct{})
	l := st.subscribe(s, muster.NewSubscription(st.group, "slow", muster.On(st.credited, func(ctx context.Context, e credited, m muster.Meta) error {
		<-open
		return slow.take(ctx, e, m)
	})))
	q := st.subscribe(s, muster.NewSubscription(st.group, "quick", muster.On(st.credited, quick.take)))
	st.until("the quick one has all", func() bool { return quick.count() >= events })
	lag := func(name string) float64 {
		return st.counter("muster_subscription_lag_events", map[string]string{"subscription": name})
	}
	st.until("the slow one's lag is told", func() bool { return lag("slow") == events })
	st.until("the quick one has none", func() bool { return lag("quick") == 0 })
	close(open)
	st.until("the slow one has all", func() bool { return slow.count() >= events })
	if err := errors.Join(l.end(), q.end()); err != nil {
		t.Error(err)
	}
	slow.wantInOrder(t, "acc-1", events)
}

// A part runs as long as its service does; when it stops at a fault, so does the service, and a supervisor sees why.
func TestSubscribeAsAPart(t *testing.T) {
	st := newStage(t, anyBrokers(t), 1)
	st.topics()
	st.journalled("acc-1", 1, 3)
	var got seen
	cfg := callerOf(st)
	cfg.Metrics = prometheus.NewRegistry()
	s := start(t, cfg, muster.NewSubscription(st.group, "part", muster.On(st.credited, got.take)))
	st.until("all are handled", func() bool { return got.count() >= 3 })
	s.end()

	strict := muster.NewBroadcast(st.group, "strict", muster.FromEarliest(), muster.HandlerFaults(muster.FaultStop),
		muster.On(st.credited, func(context.Context, credited, muster.Meta) error { return errors.New("broken") }))
	failing := callerOf(st)
	opened := openOnly(t, failing, strict)
	err := opened.Run(st.within())
	if _, is := errors.AsType[*muster.EventFault](err); !is || st.t.Context().Err() != nil {
		t.Errorf("Run: %v; want the fault of the subscription", err)
	}
}

// Subscribe ends with its service.
func TestSubscribeEndsWithTheService(t *testing.T) {
	st := newStage(t, anyBrokers(t), 1)
	st.topics()
	st.journalled("acc-1", 1, 1)
	s := start(t, callerOf(st))
	var got seen
	l := st.subscribe(s, muster.NewBroadcast(st.group, "ends", muster.FromEarliest(), muster.On(st.credited, got.take)))
	st.until("it reads", func() bool { return got.count() >= 1 })
	s.end()
	if err := l.wait(); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("Subscribe: %v; want ErrClosed", err)
	}
}
