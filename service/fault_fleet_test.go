package service_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/service"
)

// A second fleet under another consumer group owns the same journal; the broker fences neither. It writes what it takes for the next
// revision; so does the owner. The owner notices with that commit, stops the partition visibly and serves the others.
func TestFaultTwoFleets(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 3)
	s := st.open()
	one, other := st.in(1, 2), st.in(2, 1)[0]
	st.served(s, one[0])
	st.served(s, one[1])
	st.write(st.event(one[0], "fleet-1", 2, "1000"), st.event(one[0], "fleet-2", 3, "1000"))
	got, err := st.deposit.Call(st.within(), s.Client(), one[0], deposit{Amount: 1})
	if err != nil || got.Balance != 2 {
		t.Errorf("the commit that clashes: %+v, %v; it cannot know yet", got, err)
	}
	st.until("the partition stops", func() bool { return isStopped(s, "fold") })
	st.served(s, other)
	healthy := s.Healthy()
	fold, ok := errors.AsType[*muster.FoldFault](healthy)
	if !ok || fold.AggregateID != one[0] || fold.Revision != 2 || !strings.Contains(healthy.Error(), "anybody else written") {
		t.Errorf("Healthy: %v; want the fold fault of %s and who may be to blame", healthy, one[0])
	}
	if n := st.counter("muster_partitions", map[string]string{"group": st.group.Name(), "state": string(service.Stopped)}); n != 1 {
		t.Errorf("muster_partitions{state=stopped} is %v; want 1", n)
	}
	if _, err := st.deposit.Call(t.Context(), s.Client(), one[1], deposit{Amount: 1}, muster.Timeout(100*time.Millisecond)); !errors.Is(err, muster.ErrOutcomeUnknown) {
		t.Errorf("a command of the stopped partition: %v; want no answer", err)
	}
	s.end() // and a new start does not hide it
	cfg := st.config()
	cfg.Metrics = nil
	again := openUnready(t, cfg, st.owner(nil))
	st.until("it stops again", func() bool { return isStopped(again, "fold") })
	st.served(again, other)
}

// transaction begins one as a lane of some instance would: an event in it, nothing decided.
func (st *stage) transaction(instance string, r *kgo.Record) *kgo.Client {
	st.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(st.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.TransactionalID(fmt.Sprintf("%s/%s/0/0", st.group.Name(), instance)), kgo.TransactionTimeout(10*time.Minute)) // longer than any test waits
	if err != nil {
		st.t.Fatal(err)
	}
	st.t.Cleanup(client.Close)
	kafkatest.Begin(st.t, client, r)
	return client
}

// A dead owner has left a transaction open; behind it lie committed events, which a read_committed reader does not see until it is decided.
// The next owner ends it, reads on to the high watermark, and only then serves (KAFKA-10167).
func TestFaultOpenTransactionHidesCommittedEvents(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	s := st.open()
	st.deposits("before", 5, 1, 1, s)
	s.end()
	j := st.journal()
	dead := st.transaction("dead", st.event("acc-0", "never", 6, "1000"))
	if err := dead.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	behind := st.transaction("alive", st.event("acc-0", "hidden", 6, "1"))
	if err := behind.EndTransaction(st.within(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	cfg := st.config()
	cfg.Metrics = nil
	var lines logLines
	cfg.Logger = lines.logger()
	next := start(t, cfg, st.owner(nil))
	took := time.Since(began)
	got, err := st.deposit.Call(st.within(), next.Client(), "acc-0", deposit{Amount: 1})
	if err != nil || got.Balance != 7 {
		t.Errorf("balance %+v, %v; want 7: five, the hidden one, this one", got, err)
	}
	if !strings.Contains(lines.String(), st.group.Name()+"/dead/0/0") {
		t.Errorf("the log does not name the transaction that was ended:\n%s", lines.String())
	}
	if got := st.journal(); got.Len() != j.Len()+2 {
		t.Errorf("%d events; want %d and nothing of the dead owner's", got.Len(), j.Len()+2)
	}
	t.Logf("served after %v", took.Round(time.Millisecond))
}

// An open transaction of a producer that is nobody's lane is not ended by us: the partition waits, says so, and serves when it is decided.
func TestFaultHangingForeignTransaction(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 2)
	s := st.open()
	one, other := st.in(1, 1)[0], st.in(0, 1)[0]
	st.served(s, one)
	s.end()
	foreign, err := kgo.NewClient(kgo.SeedBrokers(st.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.TransactionalID(st.owners+"-tool"), kgo.TransactionTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	kafkatest.Begin(t, foreign, st.event(one, "tool", 2, "1000"))
	cfg := st.config()
	cfg.Metrics = nil
	var lines logLines
	cfg.Logger = lines.logger()
	next := openUnready(t, cfg, st.owner(nil))
	st.served(next, other)
	st.until("the log names it", func() bool { return strings.Contains(lines.String(), st.owners+"-tool") })
	if err := next.Ready(); err == nil || !strings.Contains(err.Error(), st.group.Name()) {
		t.Errorf("Ready: %v; want the group that is being recovered", err)
	}
	if err := foreign.EndTransaction(st.within(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	if err := next.AwaitReady(st.within()); err != nil {
		t.Error(err)
	}
	st.served(next, one)
}
