package service_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/history"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/journal"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

// patience bounds whatever a test waits for. Reaching it is a failure, so it may be long.
const patience = 90 * time.Second

// session is the session timeout of owners that are to die: the shortest the real brokers of these tests accept.
const session = time.Second

// patientSession is the session timeout of those that are not: on a busy machine a broker in the same process is late with its answers.
const patientSession = 10 * time.Second

func contextFor(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), patience)
}

func connection(brokers []string) kafka.Config { return kafka.Config{Brokers: brokers} }

// onKafka tells whether the tests run on Apache Kafka.
func onKafka() bool {
	return os.Getenv(kafkatest.RealVariable) == "1" || os.Getenv(kafkatest.BrokersVariable) != ""
}

// realBrokers gives brokers that are Apache Kafka: the shared ones, or one for this test.
func realBrokers(t *testing.T) []string {
	t.Helper()
	return kafkatest.RealBrokers(t)
}

// anyBrokers gives real brokers where there are some, else the embedded one.
func anyBrokers(t *testing.T) []string {
	t.Helper()
	if onKafka() {
		return realBrokers(t)
	}
	return kafkatest.Brokers(t)
}

// run is one workload: its contract, its callers, and what they saw.
type run struct {
	t       *testing.T
	brokers []string
	*ledgers
	log     history.Log
	callers []*running
	serial  int           // of the commands made so far; orders adds
	attempt time.Duration // how long a caller waits before it sends the same command again
}

func newRun(t *testing.T, brokers []string, partitions, callers int) *run {
	t.Helper()
	r := &run{t: t, brokers: brokers, ledgers: ledgersIn(kafkatest.UniqueName(t, "ledger"), partitions), attempt: 2 * time.Second}
	name := kafkatest.UniqueName(t, "caller")
	for i := range callers {
		cfg := service.Config{Name: name, Instance: fmt.Sprintf("caller-%d", i), Brokers: brokers, ReplyPartitions: 4}
		r.callers = append(r.callers, start(t, cfg))
	}
	return r
}

// ownerConfig is that of an owner in this process.
func (r *run) ownerConfig(instance, dir string) service.Config {
	return service.Config{
		Name: r.group.Name() + "-owner", Instance: instance, Brokers: r.brokers, DataDir: dir, SessionTimeout: session, ReplyPartitions: 1,
	}
}

// order is one command to be given, until it is answered.
type order struct {
	id, aggregate string
	events        int
}

// orders makes n commands: most with one to three events, one in ten to be refused, spread over a few aggregates.
func (r *run) orders(n, aggregates int) []order {
	made := make([]order, n)
	for i := range made {
		r.serial++
		made[i] = order{id: fmt.Sprintf("c-%d", r.serial), aggregate: fmt.Sprintf("acc-%d", r.serial%aggregates), events: 1 + r.serial%3}
		if r.serial%10 == 9 {
			made[i].events = 0
		}
	}
	return made
}

// give has all orders answered by workers that retry with the same id, and writes the answers down. It is an error of the test
// when one is not answered within its patience, or with anything but success or the refusal that was ordered.
func (r *run) give(orders []order, workers int) {
	r.t.Helper()
	ctx, cancel := contextFor(r.t)
	defer cancel()
	todo := make(chan order, len(orders))
	for _, o := range orders {
		todo <- o
	}
	close(todo)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for o := range todo {
				if err := r.insist(ctx, r.callers[w%len(r.callers)], o); err != nil {
					r.t.Errorf("command %s on %s: %v", o.id, o.aggregate, err)
				}
			}
		})
	}
	all.Wait()
}

func (r *run) insist(ctx context.Context, caller *running, o order) error {
	call := history.Call{Caller: caller.Instance(), ID: o.id, Aggregate: o.aggregate, Sent: time.Now()}
	for {
		var receipt muster.Receipt
		call.Attempts++
		got, err := r.add.Call(ctx, caller.Client(), o.aggregate, appendix{Command: o.id, Events: o.events},
			muster.CommandID(o.id), muster.ReceiptTo(&receipt), muster.Timeout(r.attempt))
		switch {
		case ctx.Err() != nil:
			r.log.Add(call)
			return fmt.Errorf("not answered within %v in %d attempts: %w", patience, call.Attempts, err)
		case err == nil:
			call.Answered, call.Revision, call.Position, call.Answer = time.Now(), receipt.Revision, receipt.Position, text(got)
			r.log.Add(call)
			if got.Last != o.id || o.events == 0 {
				return fmt.Errorf("the answer is of another command: %+v", got)
			}
			return nil
		case muster.CodeOf(err) == muster.FailedPrecondition && o.events == 0:
			call.Answered, call.Refused = time.Now(), true
			r.log.Add(call)
			return nil
		case muster.CodeOf(err) == muster.DeadlineExceeded, muster.CodeOf(err) == muster.Unavailable:
			continue // outcome unknown, expired before it was decided, or never sent
		default:
			r.log.Add(call)
			return err
		}
	}
}

// verify holds what the callers saw against the journal, and the answers to queries against its fold. An owner must be serving.
func (r *run) verify() *history.Journal {
	r.t.Helper()
	j := r.dump(r.t, r.brokers)
	if err := history.Check(r.log.Calls(), j); err != nil {
		r.t.Error(err)
	}
	ctx, cancel := contextFor(r.t)
	defer cancel()
	for p := range j.Events {
		for id, want := range r.fold(r.t, j.Events[p], 1<<62) {
			got, err := r.read.Call(ctx, r.callers[0].Client(), id, ask{}, muster.Timeout(patience))
			if err != nil || got != want {
				r.t.Errorf("I5: %s is %+v, %v; the journal folds to %+v", id, got, err, want)
			}
		}
	}
	return j
}

// wantStore opens the state an owner left behind and holds it against the fold of the journal up to where the state says it is.
func (r *run) wantStore(dir string, j *history.Journal) {
	r.t.Helper()
	ctx, cancel := contextFor(r.t)
	defer cancel()
	admin, err := kafka.OpenAdmin(ctx, connection(r.brokers))
	if err != nil {
		r.t.Fatal(err)
	}
	defer admin.Close()
	ids, err := admin.EnsureGroup(ctx, r.group, false)
	if err != nil {
		r.t.Fatal(err)
	}
	store, err := journal.Open(journal.Config{Dir: filepath.Join(dir, "state")})
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			r.t.Error(err)
		}
	}()
	states, err := store.Group(r.group, "", ids)
	if err != nil {
		r.t.Fatal(err)
	}
	for p := range j.Events {
		at, err := states.Open(int32(p))
		if err != nil || at.Wiped != "" {
			r.t.Fatalf("partition %d: %+v, %v", p, at, err)
		}
		want := r.fold(r.t, j.Events[p], at.Next)
		err = states.Each(int32(p), func(s muster.StoredState) error {
			var got ledger
			truth := want[s.AggregateID]
			if s.Offset >= at.Next { // from a snapshot: the partition went before the journal was read up to there
				truth = r.fold(r.t, j.Events[p], s.Offset+1)[s.AggregateID]
			}
			if err := json.Unmarshal(s.Data, &got); err != nil || got != truth || int(s.Revision) != got.Events {
				r.t.Errorf("I5: stored state of %s is %s at revision %d (%v); the journal up to %d folds to %+v",
					s.AggregateID, s.Data, s.Revision, err, max(at.Next, s.Offset+1), truth)
			}
			delete(want, s.AggregateID)
			return nil
		})
		if err != nil || len(want) > 0 {
			r.t.Errorf("I5: partition %d, up to %d: %v; not stored: %v", p, at.Next, err, want)
		}
	}
}

// logLines is a log to look for lines in.
type logLines struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *logLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logLines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }
