package service_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/service"
)

// strange is what somebody else may put into a journal, and what has to become of its partition.
func strange(st *stage, account string) map[string]struct {
	record *kgo.Record
	stops  string // reason; empty when it is passed over
} {
	foreign := st.command(account, `{"not":"ours"}`, head("ce_type", "bank.Credited"))
	foreign.Topic = st.group.JournalTopic("")
	tombstone := st.event(account, "erased", 1, "1")
	tombstone.Value, tombstone.Headers = nil, nil
	malformed := st.event(account, "broken", 2, "1")
	malformed.Headers = append(malformed.Headers, head("ce_sequence", "many"))
	newer := st.event(account, "newer", 2, "1")
	newer.Headers = append(newer.Headers, head("muster-format", "9"))
	return map[string]struct {
		record *kgo.Record
		stops  string
	}{
		"foreign":          {foreign, ""},
		"tombstone":        {tombstone, ""},
		"malformed":        {malformed, "decode"},
		"newer":            {newer, "decode"},
		"undecodable":      {st.event(account, "undecodable", 2, `"much"`), "fold"},
		"revision twice":   {st.event(account, "twice", 1, "1"), "fold"},
		"revision skipped": {st.event(account, "skipped", 5, "1"), "fold"},
	}
}

// kept checks that one partition is as its journal demands and the other one serves.
func (st *stage) kept(s *running, stops, inOne, inOther string, before int64) {
	st.t.Helper()
	if stops == "" {
		st.until("all partitions serve", func() bool { return s.Ready() == nil })
		got, err := st.balance.Call(st.within(), s.Client(), inOne, ask{})
		if err != nil || got.Balance != before {
			st.t.Errorf("balance %+v, %v; want %d as before", got, err, before)
		}
		st.served(s, inOne)
		return
	}
	st.until("the partition stops", func() bool { return isStopped(s, stops) })
	st.served(s, inOther)
	if err := s.Healthy(); err == nil || !strings.Contains(err.Error(), st.group.Name()+"[1]") {
		st.t.Errorf("Healthy: %v; want the stopped partition by name", err)
	}
	if err := s.AwaitReady(st.within()); err == nil || errors.Is(err, service.ErrClosed) {
		st.t.Errorf("AwaitReady: %v; want the stopped partition at once", err)
	}
	if n := st.counter("muster_stops_total", map[string]string{"group": st.group.Name(), "reason": stops}); n != 1 {
		st.t.Errorf("muster_stops_total of reason %s is %v; want 1", stops, n)
	}
	for _, p := range s.Status() {
		if p.State == service.Stopped && stops == "decode" && !errors.Is(p.Cause, consumer.ErrMalformed) {
			st.t.Errorf("cause %v; want ErrMalformed", p.Cause)
		}
	}
	_, err := st.deposit.Call(st.t.Context(), s.Client(), inOne, deposit{Amount: 1}, muster.Timeout(100*time.Millisecond))
	if !errors.Is(err, muster.ErrOutcomeUnknown) {
		st.t.Errorf("a command of the stopped partition: %v; want no answer", err)
	}
}

// Records in the journal that its owner did not write, there before it starts: with and without local state.
func TestInputStrangeJournalBeforeStart(t *testing.T) {
	for name := range strange(newStage(t, kafkatest.Brokers(t), 2), "x") {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			st := newStage(t, kafkatest.Brokers(t), 2)
			one, other := st.in(1, 1)[0], st.in(0, 1)[0]
			first := st.open()
			st.served(first, one)
			first.end()
			c := strange(st, one)[name]
			st.write(c.record)
			opened := openUnready(t, st.config(), st.owner(nil))
			st.kept(opened, c.stops, one, other, 1)
			if n := st.counter("muster_foreign_records_total", nil); name == "foreign" && n == 0 {
				t.Error("muster_foreign_records_total is 0")
			}
		})
	}
}

// The same while the owner runs: it notices with its next commit.
func TestInputStrangeJournalWhileRunning(t *testing.T) {
	for name := range strange(newStage(t, kafkatest.Brokers(t), 2), "x") {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			st := newStage(t, kafkatest.Brokers(t), 2)
			one, other := st.in(1, 1)[0], st.in(0, 1)[0]
			s := st.open()
			st.served(s, one)
			c := strange(st, one)[name]
			twice := *c.record // a single offset could be a marker
			st.write(c.record, &twice)
			got, err := st.deposit.Call(st.within(), s.Client(), one, deposit{Amount: 1})
			if err != nil || got.Balance != 2 {
				t.Fatalf("the commit that meets it: %+v, %v; its events are facts all the same", got, err)
			}
			st.until("it is noticed", func() bool {
				return st.counter("muster_suspensions_total", map[string]string{"reason": "foreign-writer"}) == 1
			})
			st.kept(s, c.stops, one, other, 2)
		})
	}
}

// openUnready runs a service that may never become ready.
func openUnready(t *testing.T, cfg service.Config, parts ...service.Part) *running {
	t.Helper()
	s, err := service.Open(t.Context(), cfg, parts...)
	if err != nil {
		t.Fatal(err)
	}
	return launched(t, s)
}
