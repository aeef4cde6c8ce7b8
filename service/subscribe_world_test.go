package service_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

// seen is what functions of subscriptions were given, in the order they were given it.
type seen struct {
	mu  sync.Mutex // guards all
	all []muster.Meta
}

func (s *seen) add(m muster.Meta) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, m)
}

func (s *seen) metas() []muster.Meta {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]muster.Meta(nil), s.all...)
}

func (s *seen) count() int { return len(s.metas()) }

// take is a function for a subscription that only notes.
func (s *seen) take(_ context.Context, _ credited, m muster.Meta) error {
	s.add(m)
	return nil
}

// revisions gives those of one aggregate, in the order they came.
func (s *seen) revisions(id string) []uint64 {
	var all []uint64
	for _, m := range s.metas() {
		if m.AggregateID == id {
			all = append(all, m.Revision)
		}
	}
	return all
}

// wantInOrder reports an aggregate whose events 1 to n did not come at least once each, each for the first time in its order.
func (s *seen) wantInOrder(t *testing.T, id string, n int) {
	t.Helper()
	next := uint64(1)
	for _, r := range s.revisions(id) {
		if r > next {
			t.Errorf("%s: revision %d came before %d", id, r, next)
		}
		if r == next {
			next++
		}
	}
	if next != uint64(n)+1 {
		t.Errorf("%s: revisions 1 to %d came; want 1 to %d", id, next-1, n)
	}
}

// topics makes those of the group, without an owner.
func (st *stage) topics() {
	st.t.Helper()
	admin, err := kafka.OpenAdmin(st.within(), kafka.Config{Brokers: st.brokers})
	if err != nil {
		st.t.Fatal(err)
	}
	defer admin.Close()
	if _, err := admin.EnsureGroup(st.within(), st.group, true); err != nil {
		st.t.Fatal(err)
	}
}

// journalled writes the events from..to of an account straight into the journal, as an owner would have.
func (st *stage) journalled(account string, from, to int) []*kgo.Record {
	st.t.Helper()
	var all []*kgo.Record
	for r := from; r <= to; r++ {
		all = append(all, st.event(account, fmt.Sprintf("%s-c%d", account, r), uint64(r), "1"))
	}
	st.write(all...)
	return all
}

// lastWritten is when the youngest event of the journal was written. The topic has the times of the broker, whatever a record says.
func (st *stage) lastWritten() (last time.Time) {
	st.t.Helper()
	topic := st.group.JournalTopic("")
	all, err := kadm.NewClient(st.raw).ListMaxTimestampOffsets(st.within(), topic)
	if err == nil {
		err = all.Error()
	}
	if err != nil {
		st.t.Fatal(err)
	}
	for _, p := range all[topic] {
		if at := time.UnixMilli(p.Timestamp); p.Timestamp >= 0 && at.After(last) {
			last = at
		}
	}
	return last
}

// nextMillisecond waits until what is written from now on has a later time than all that was written: brokers count in milliseconds.
func (st *stage) nextMillisecond() {
	st.t.Helper()
	next := st.lastWritten().Add(time.Millisecond)
	st.until("the clock goes on", func() bool { return !time.Now().Before(next) })
}

// listening is a Subscribe under way.
type listening struct {
	t    *testing.T
	stop context.CancelFunc
	done chan error
}

func (st *stage) subscribe(s *running, sub *muster.Subscription) *listening {
	st.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(st.t.Context()))
	l := &listening{t: st.t, stop: cancel, done: make(chan error, 1)}
	go func() { l.done <- s.Subscribe(ctx, sub) }()
	st.t.Cleanup(func() { _ = l.end() })
	return l
}

// end stops it and gives what Subscribe returned. Ending twice is harmless.
func (l *listening) end() error {
	l.t.Helper()
	l.stop()
	return l.wait()
}

// wait gives what Subscribe returned.
func (l *listening) wait() error {
	l.t.Helper()
	if l.done == nil {
		return nil
	}
	defer func() { l.done = nil }()
	select {
	case err := <-l.done:
		return err
	case <-time.After(patience):
		l.t.Error("Subscribe did not end in time")
		return errors.New("it hangs")
	}
}

// callerName is the service name of a caller, which its instance begins with.
func (st *stage) callerName(s *running) string {
	return s.Instance()[:len(s.Instance())-len("-0123456789ab")]
}

// keptPlace is the offset a consumer group has committed for partition 0 of the journal, -1 when there is none.
func (st *stage) keptPlace(group string) int64 {
	st.t.Helper()
	all, err := kadm.NewClient(st.raw).FetchOffsets(st.within(), group)
	if err != nil {
		return -1
	}
	if o, ok := all.Lookup(st.group.JournalTopic(""), 0); ok {
		return o.At
	}
	return -1
}

// openOnly opens a service that the test runs itself.
func openOnly(t *testing.T, cfg service.Config, parts ...service.Part) *service.Service {
	t.Helper()
	s, err := service.Open(t.Context(), cfg, parts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
