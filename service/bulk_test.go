//go:build unix

package service_test

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/journal"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

// long writes a journal of n events, one per command, spread over n/10 aggregates.
func (r *run) long(n int) {
	r.t.Helper()
	ctx, cancel := contextFor(r.t)
	defer cancel()
	admin, err := kafka.OpenAdmin(ctx, connection(r.brokers))
	if err != nil {
		r.t.Fatal(err)
	}
	defer admin.Close()
	if _, err := admin.EnsureGroup(ctx, r.group, true); err != nil {
		r.t.Fatal(err)
	}
	client, err := connection(r.brokers).Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(20_000))
	if err != nil {
		r.t.Fatal(err)
	}
	defer client.Close()
	states, now := map[string]ledger{}, time.Now().UTC().Truncate(time.Microsecond)
	for i := range n {
		id, command := fmt.Sprintf("acc-%d", i*7919%(n/10)), fmt.Sprintf("c-%d", i)
		payload := appended{Aggregate: id, Command: command}
		states[id] = states[id].after(payload)
		value, err := json.Marshal(payload)
		if err != nil {
			r.t.Fatal(err)
		}
		answer := muster.Outcome{ContentType: muster.ContentJSON, Payload: []byte(text(states[id]))}
		e := muster.Event{
			Meta: muster.Meta{
				ID: command + "/0", Type: r.appended.Name(), Group: r.group.Name(), AggregateID: id, Revision: uint64(states[id].Events), Time: now,
				CorrelationID: command, CausationID: command, ContentType: muster.ContentJSON, Partition: kafka.Partition(id, r.group.Partitions()),
			},
			Payload: value, Count: 1, Fingerprint: uint32(i), Answer: answer.Encode(nil),
		}
		client.Produce(ctx, kafka.EncodeEvent(&e, r.group.JournalTopic("")), func(_ *kgo.Record, err error) {
			if err != nil {
				r.t.Errorf("produce: %v", err)
			}
		})
	}
	if err := client.Flush(ctx); err != nil {
		r.t.Fatal(err)
	}
}

// contents opens the state an owner left behind: per partition how far it is and all its states, and some answers.
func (r *run) contents(dir string, commands int) []string {
	r.t.Helper()
	store, err := journal.Open(journal.Config{Dir: filepath.Join(dir, "state")})
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			r.t.Error(err)
		}
	}()
	group, err := store.Group(r.group, "", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	var all []string
	for p := range r.group.Partitions() {
		at, err := group.Open(p)
		if err != nil || at.Wiped != "" {
			r.t.Fatalf("partition %d: %+v, %v", p, at, err)
		}
		sum, states := fnv.New64a(), 0
		err = group.Each(p, func(s muster.StoredState) error {
			fmt.Fprintf(sum, "%q %d %d %q\n", s.AggregateID, s.Revision, s.Offset, s.Data)
			states++
			return nil
		})
		if err != nil {
			r.t.Fatal(err)
		}
		answers := 0
		for i := 0; i < commands; i += 1 + commands/20_000 {
			a, ok, err := group.Answered(p, fmt.Sprintf("c-%d", i))
			if err != nil {
				r.t.Fatal(err)
			}
			if ok {
				answers++
				fmt.Fprintf(sum, "%+v\n", a)
			}
		}
		all = append(all, fmt.Sprintf("partition %d: next %d, last %q at %d, %d states, %d of %d answers seen, sum %x",
			p, at.Next, at.LastEvent, at.LastAt, states, answers, at.Answers, sum.Sum64()))
	}
	return all
}

func same(t *testing.T, what string, want, got []string) {
	t.Helper()
	for i := range want {
		if want[i] != got[i] {
			t.Errorf("%s:\n%s\ninstead of\n%s", what, got[i], want[i])
		}
	}
}

// longEnough is the size of a recovery to be killed. Two million events take minutes and gigabytes on an embedded broker, so the usual run has fewer; it writes
// its tables at the same points of the code because it has less memory to fold in.
func longEnough() int {
	if os.Getenv("MUSTER_SOAK") != "" {
		return 2_000_000
	}
	return 15_000
}

// Folding in memory and storing piece by piece give the same bytes. A recovery that is killed half-way goes on where it was.
func TestRecoveryInBulk(t *testing.T) {
	r := newRun(t, kafkatest.Brokers(t), 2, 0)
	n := longEnough()
	began := time.Now()
	r.long(n)
	t.Logf("%d events written in %v", n, time.Since(began).Round(time.Millisecond))

	recovered := func(instance, dir string, how service.Recovery) float64 {
		t.Helper()
		registry := prometheus.NewRegistry()
		cfg := r.ownerConfig(instance, dir)
		cfg.Metrics, cfg.Recovery = registry, how
		cfg.Recovery.SnapshotEvery, cfg.SessionTimeout = -1, patientSession
		began := time.Now()
		owner := start(t, cfg, r.owner())
		read := total(t, registry, "muster_replayed_events_total", nil)
		t.Logf("%s read %v events in %v", instance, read, time.Since(began).Round(time.Millisecond))
		owner.end()
		return read
	}
	simple, bulk, killed := t.TempDir(), t.TempDir(), t.TempDir()
	if read := recovered("simple", simple, service.Recovery{BulkFrom: -1}); int(read) != n {
		t.Errorf("%v events read", read)
	}
	if read := recovered("bulk", bulk, service.Recovery{BulkFrom: 1}); int(read) != n {
		t.Errorf("%v events read", read)
	}

	memory := max(int64(n)*40, 1<<20)
	p := launch(t, childConfig{
		Group: r.group.Name(), Partitions: int(r.group.Partitions()), Brokers: r.brokers, Dir: killed, Instance: "killed",
		Point: "recovering", Hit: 9, Session: patientSession, Recovery: service.Recovery{Memory: memory, BulkFrom: 1, SnapshotEvery: -1},
	})
	p.await("at recovering")
	p.kill()
	r.dismiss("killed") // its session is long
	read := recovered("killed", killed, service.Recovery{Memory: memory, BulkFrom: 1})
	if int(read) >= n || read == 0 {
		t.Errorf("%v of %d events were read after the kill; it began anew, or was done already", read, n)
	}

	want := r.contents(simple, n)
	t.Log(want)
	same(t, "in bulk", want, r.contents(bulk, n))
	same(t, "killed and resumed", want, r.contents(killed, n))
}

// The status and the metrics tell how far a recovery is while it runs.
func TestRecoveryTellsItsProgress(t *testing.T) {
	r := newRun(t, kafkatest.Brokers(t), 1, 0)
	const n = 20_000
	r.long(n)
	registry := prometheus.NewRegistry()
	cfg := r.ownerConfig("one", t.TempDir())
	cfg.Metrics, cfg.Recovery = registry, service.Recovery{Memory: 1 << 20, BulkFrom: 1}
	reached, proceed := make(chan struct{}), make(chan struct{})
	hits := 0
	cfg.Failpoint = func(name string) {
		if name == "recovering" {
			if hits++; hits == 2 {
				close(reached)
				<-proceed
			}
		}
	}
	ctx, cancel := contextFor(t)
	defer cancel()
	s, err := service.Open(ctx, cfg, r.owner())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan *running)
	go func() { done <- launchOpened(t, s) }()
	<-reached
	all := total(t, registry, "muster_recovery_all_offsets", nil)
	is := s.Status()
	close(proceed)
	if len(is) != 1 || is[0].State != service.Recovering || is[0].Recovery == nil || is[0].Recovery.Stage != "journal" || is[0].Recovery.Total != n || all != n {
		t.Errorf("status %+v; %v offsets to pass by the metrics, want %d", is, all, n)
	}
	owner := <-done
	if is := s.Status(); len(is) != 1 || is[0].State != service.Serving || is[0].Recovery != nil {
		t.Errorf("status %+v after the recovery", is)
	}
	if all := total(t, registry, "muster_recovery_all_offsets", nil); all != 0 {
		t.Errorf("%v offsets to pass when there is no recovery", all)
	}
	owner.end()
}

func TestRecoveryProgressText(t *testing.T) {
	is := service.RecoveryProgress{Stage: "journal", Done: 1_200_000, Total: 3_000_000, PerSecond: 85_000, Left: 21.2}
	if got, want := is.String(), "40 % of the journal, 1200000 of 3000000, 85000/s, 21 s left"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
