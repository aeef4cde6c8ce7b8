//go:build unix

package service_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// An open transaction of a dead instance hides what others have committed behind it. Whoever takes the partition over ends it, long
// before its timeout, and reads to the high watermark before it decides anything.
func TestOpenTransactionOfDeadInstance(t *testing.T) {
	r := newRun(t, realBrokers(t), 2, 1)
	registry := prometheus.NewRegistry()
	took, lines := r.takeOverBehind(r.group.Name()+"/ghost/0/0", time.Minute, registry)
	if took > 45*time.Second {
		t.Errorf("served after %v; the transaction of a dead instance should have been fenced", took)
	}
	if n := total(t, registry, "muster_fenced_leftovers_total", nil); n != 1 {
		t.Errorf("%v leftovers fenced, want the one; log:\n%s", n, lines)
	}
}

// A stranger's is left alone: nobody here can know whether it may be ended. The wait is bounded by its timeout, and said aloud.
func TestOpenTransactionOfStranger(t *testing.T) {
	r := newRun(t, realBrokers(t), 2, 1)
	const timeout = 6 * time.Second
	id := r.group.Name() + "-reports"
	registry := prometheus.NewRegistry()
	took, lines := r.takeOverBehind(id, timeout, registry)
	if took < timeout {
		t.Errorf("served %v after the transaction was opened, although it ended after %v", took, timeout)
	}
	if !strings.Contains(lines, "foreign producer") || !strings.Contains(lines, id) {
		t.Errorf("the log does not name the open transaction %s:\n%s", id, lines)
	}
	if n := total(t, registry, "muster_fenced_leftovers_total", nil); n != 0 {
		t.Errorf("%v leftovers fenced; a stranger's transaction is not to be ended", n)
	}
}

// takeOverBehind lets an owner die with its last commit behind an open transaction, and another one, without state, take over. It gives the
// time from before the transaction was opened until the second one serves, and what that one logged.
func (r *run) takeOverBehind(id string, timeout time.Duration, registry *prometheus.Registry) (time.Duration, string) {
	t := r.t
	t.Helper()
	before := r.orders(8, 1) // one after another, so one batch each
	first := launch(t, childConfig{
		Group: r.group.Name(), Partitions: int(r.group.Partitions()), Brokers: r.brokers, Dir: t.TempDir(), Instance: "one",
		Point: "committed", Hit: int64(len(before)) + 1,
	})
	first.await("ready")
	r.give(before, 1)
	opened := time.Now()
	r.leaveOpen(id, kafka.Partition(before[0].aggregate, r.group.Partitions()), timeout)
	hidden := order{id: "hidden", aggregate: before[0].aggregate, events: 3}
	if _, err := r.add.Send(t.Context(), r.callers[0].Client(), hidden.aggregate, appendix{Command: hidden.id, Events: hidden.events},
		muster.CommandID(hidden.id)); err != nil {
		t.Fatal(err)
	}
	first.await("at committed")
	first.kill()
	r.awaitMembers()

	var lines logLines
	cfg := r.ownerConfig("two", t.TempDir())
	cfg.Logger, cfg.Metrics = lines.logger(), registry
	start(t, cfg, r.owner())
	took := time.Since(opened)
	t.Logf("served after %v", took.Round(time.Millisecond))
	r.give(append(before, hidden), 4)
	r.give(r.orders(20, 4), 4)
	j := r.verify()
	events := 0
	for p := range j.Events {
		for i := range j.Events[p] {
			if j.Events[p][i].CausationID == hidden.id {
				events++
			}
		}
	}
	if n := total(t, registry, "muster_suspensions_total", nil); n != 0 {
		t.Errorf("partitions were read again %v times; the marker of the transaction that ended is nobody's write", n)
	}
	if events != hidden.events {
		t.Errorf("the command behind the open transaction has %d events, want the %d it had when its owner died", events, hidden.events)
	}
	return took, lines.String()
}

// The owner itself finds out that somebody writes between its events: it puts the partition down, ends a dead instance's transaction, reads
// again, and goes on.
func TestOpenTransactionBesideOwner(t *testing.T) {
	r := newRun(t, realBrokers(t), 2, 1)
	registry := prometheus.NewRegistry()
	cfg := r.ownerConfig("one", t.TempDir())
	cfg.Metrics = registry
	start(t, cfg, r.owner())
	r.give(r.orders(20, 4), 4)
	r.leaveOpen(r.group.Name()+"/ghost/0/0", kafka.Partition("acc-0", r.group.Partitions()), time.Minute)
	began := time.Now()
	r.give(r.orders(20, 4), 4)
	if took := time.Since(began); took > 45*time.Second {
		t.Errorf("the commands behind the open transaction were answered after %v", took)
	}
	if n := total(t, registry, "muster_suspensions_total", map[string]string{"reason": "foreign-writer"}); n < 1 {
		t.Error("nobody noticed the stranger's record between the owner's events")
	}
	if n := total(t, registry, "muster_fenced_leftovers_total", nil); n != 1 {
		t.Errorf("%v leftovers fenced, want the one", n)
	}
	r.verify()
}

// leaveOpen writes one record into a partition of the journal as part of a transaction that is never ended.
func (r *run) leaveOpen(id string, partition int32, timeout time.Duration) {
	r.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(r.brokers...), kgo.TransactionalID(id), kgo.TransactionTimeout(timeout),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		r.t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := contextFor(r.t)
	defer cancel()
	record := &kgo.Record{Topic: r.group.JournalTopic(""), Partition: partition, Key: []byte("never"), Value: []byte("committed")}
	if err := errors.Join(client.BeginTransaction(), client.ProduceSync(ctx, record).FirstErr()); err != nil {
		r.t.Fatal(err)
	}
}
