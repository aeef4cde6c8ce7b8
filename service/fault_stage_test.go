package service_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/history"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

// stage is where one test plays: brokers, a contract of its own, and a plain Kafka client beside the toolkit.
type stage struct {
	t       *testing.T
	brokers []string
	*bank
	raw     *kgo.Client
	owners  string // the name that all owners of the test share
	metrics *prometheus.Registry
	log     history.Log
}

func newStage(t *testing.T, brokers []string, partitions int) *stage {
	t.Helper()
	raw, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.MetadataMinAge(50*time.Millisecond), kgo.UnknownTopicRetries(2))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(raw.Close)
	return &stage{
		t: t, brokers: brokers, bank: newBank(t, muster.Partitions(partitions)), raw: raw,
		owners: kafkatest.UniqueName(t, "bank"), metrics: prometheus.NewRegistry(),
	}
}

// config is that of an owner with short timeouts and a directory of its own. Its session outlasts what a busy machine does to it.
func (st *stage) config() service.Config {
	return service.Config{
		Name: st.owners, Brokers: st.brokers, DataDir: st.t.TempDir(), Metrics: st.metrics, ReplyPartitions: 3,
		SessionTimeout: 6 * time.Second, TransactionTimeout: 3 * time.Second, CallTimeout: patience,
	}
}

// open starts an owner with the usual behaviour.
func (st *stage) open() *running {
	st.t.Helper()
	return start(st.t, st.config(), st.owner(nil))
}

// within gives the test's context with an end, so that a hang becomes a failure that says where.
func (st *stage) within() context.Context {
	ctx, cancel := context.WithTimeout(st.t.Context(), patience)
	st.t.Cleanup(cancel)
	return ctx
}

// until polls a condition; what says what is waited for.
func (st *stage) until(what string, holds func() bool) {
	st.t.Helper()
	eventually(st.t, what, holds)
}

// eventually looks every few milliseconds whether a condition holds. What it asks for has to stay once it is there: what comes and goes between two looks
// is never seen.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	until(t, what, patience, holds)
}

func until(t *testing.T, what string, patience time.Duration, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still waiting after %v: %s", patience, what)
		}
	}
}

// teller is one deposit of 1, asked for again with the same id until there is an answer. An error that a caller who retries must
// not see ends it.
func (st *stage) teller(s *running, account, id string) error {
	ctx := st.within()
	call := history.Call{Caller: s.Instance(), ID: id, Aggregate: account, Sent: time.Now()}
	for {
		var receipt muster.Receipt
		call.Attempts++
		got, err := st.deposit.Call(ctx, s.Client(), account, deposit{Amount: 1}, muster.CommandID(id), muster.ReceiptTo(&receipt), muster.Timeout(2*time.Second))
		switch {
		case err == nil:
			call.Answered, call.Revision, call.Position, call.Answer = time.Now(), receipt.Revision, receipt.Position, text(got)
			st.log.Add(call)
			return nil
		case ctx.Err() != nil:
			st.log.Add(call)
			return fmt.Errorf("deposit %s on %s: no answer in %d attempts: %w", id, account, call.Attempts, err)
		case errors.Is(err, muster.ErrOutcomeUnknown), errors.Is(err, muster.ErrExpired), muster.CodeOf(err) == muster.Unavailable:
		default:
			return fmt.Errorf("deposit %s on %s: %w", id, account, err)
		}
	}
}

// deposits makes n of them by tellers at a time, spread over accounts; the ids begin with prefix.
func (st *stage) deposits(prefix string, n, accounts, tellers int, by ...*running) {
	st.t.Helper()
	var all sync.WaitGroup
	for w := range tellers {
		all.Go(func() {
			for i := w; i < n; i += tellers {
				if err := st.teller(by[i%len(by)], fmt.Sprintf("acc-%d", i%accounts), fmt.Sprintf("%s-%d", prefix, i)); err != nil {
					st.t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// journal dumps the committed events.
func (st *stage) journal() *history.Journal {
	st.t.Helper()
	j, err := history.Read(st.within(), kafka.Config{Brokers: st.brokers}, st.group)
	if err != nil {
		st.t.Fatal(err)
	}
	return j
}

// verify holds the answers against the journal, and a query per account against its fold.
func (st *stage) verify(s *running) *history.Journal {
	st.t.Helper()
	j := st.journal()
	if err := history.Check(st.log.Calls(), j); err != nil {
		st.t.Error(err)
	}
	balances := map[string]int64{}
	for _, events := range j.Events {
		for i := range events {
			e, err := st.credited.Decode(muster.PlainCodec{}, &events[i])
			if err != nil {
				st.t.Fatal(err)
			}
			balances[events[i].AggregateID] += e.Amount
		}
	}
	for id, want := range balances {
		got, err := st.balance.Call(st.within(), s.Client(), id, ask{})
		if err != nil || got.Balance != want {
			st.t.Errorf("I5: balance of %s is %+v, %v; the journal says %d", id, got, err, want)
		}
	}
	return j
}

// answered is the number of different commands that were answered.
func (st *stage) answered() int {
	ids := map[string]bool{}
	for _, c := range st.log.Calls() {
		if !c.Answered.IsZero() {
			ids[c.ID] = true
		}
	}
	return len(ids)
}

// complete verifies, and that exactly the answered commands are in the journal: nothing lost, nothing doubled.
func (st *stage) complete(s *running) {
	st.t.Helper()
	if j := st.verify(s); j.Len() != st.answered() {
		st.t.Errorf("%d events in the journal for %d answered deposits of one event each", j.Len(), st.answered())
	}
}

// counter sums a metric of the owners of this test.
func (st *stage) counter(name string, labels map[string]string) float64 {
	st.t.Helper()
	families, err := st.metrics.Gather()
	if err != nil {
		st.t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	each:
		for _, m := range f.GetMetric() {
			left := len(labels)
			for _, l := range m.GetLabel() {
				if want, asked := labels[l.GetName()]; asked {
					if l.GetValue() != want {
						continue each
					}
					left--
				}
			}
			if left == 0 {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}
