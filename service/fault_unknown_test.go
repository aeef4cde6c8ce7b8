package service_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

// doubt is an owner whose first deposit, on the account "gate", is held up until the test has lost what it wants to lose. So what is sent
// meanwhile is one batch. The name of an account says what becomes of its deposit.
type doubt struct {
	*stage
	gate  chan struct{}
	there atomic.Bool // what "hot" waits for
	lost  func()      // called before an end is lost; may be nil

	mu   sync.Mutex // guards runs
	runs map[string]int
}

func newDoubt(t *testing.T, brokers []string) *doubt {
	return &doubt{stage: newStage(t, brokers, 1), gate: make(chan struct{}), runs: map[string]int{}}
}

func (d *doubt) behaviour() *muster.Aggregate[*account] {
	return d.owner(func(ctx context.Context, root *muster.Root[*account], in deposit) (account, error) {
		d.mu.Lock()
		d.runs[root.ID()]++
		d.mu.Unlock()
		switch root.ID() {
		case "gate":
			select {
			case <-d.gate:
			case <-ctx.Done():
			}
			return account{}, muster.Errorf(muster.FailedPrecondition, "closed")
		case "poison":
			panic("poison")
		case "refused":
			return account{}, muster.Errorf(muster.FailedPrecondition, "refused in run %d", d.ran("refused"))
		case "hot":
			if !d.there.Load() {
				return account{}, muster.RetryLater(errors.New("not there yet"))
			}
		}
		d.credited.Emit(root, credited(in))
		return *root.State(), nil
	})
}

func (d *doubt) ran(account string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.runs[account]
}

// answer is how a call ended.
type answer struct {
	receipt muster.Receipt
	err     error
}

// call sends one deposit, once, and waits for its answer.
func (d *doubt) call(s *running, account string) (a answer) {
	_, a.err = d.deposit.Call(d.within(), s.Client(), account, deposit{Amount: 1}, muster.CommandID(account), muster.ReceiptTo(&a.receipt), muster.Timeout(30*time.Second))
	return a
}

// batch has the accounts decided as one batch the end of whose transaction is not answered, and gives the answers of all callers.
func (d *doubt) batch(s *running, wire *kafkatest.Tap, apply bool, accounts ...string) map[string]answer {
	d.t.Helper()
	answers, all := map[string]answer{}, sync.WaitGroup{}
	var mu sync.Mutex // guards answers
	send := func(account string) {
		all.Go(func() {
			a := d.call(s, account)
			mu.Lock()
			defer mu.Unlock()
			answers[account] = a
		})
	}
	send("gate")
	d.until("the gate is being decided", func() bool { return d.ran("gate") == 1 })
	for _, account := range accounts {
		send(account)
	}
	d.until("the others are one batch", func() bool { return int(d.counter("muster_lag_commands", nil)) == len(accounts) })
	if d.lost != nil {
		d.lost()
	}
	wire.ArmUntil(kmsg.EndTxn, kmsg.InitProducerID, apply)
	close(d.gate)
	d.until("an outcome is unknown", func() bool { return d.counter("muster_aborts_total", map[string]string{"cause": "unknown"}) == 1 })
	d.until("the partition serves", func() bool {
		return d.counter("muster_suspensions_total", map[string]string{"reason": "unknown-outcome"}) == 1 && s.Ready() == nil
	})
	d.until("one waits", func() bool { return s.Status()[0].Waiting == 1 })
	d.there.Store(true)
	all.Wait()
	return answers
}

// inDoubt has one batch decided, in which every kind of outcome is, and checks that each is there once: runs is how often its commands
// should have been executed.
func (d *doubt) inDoubt(apply bool, runs int) {
	t := d.t
	t.Helper()
	wire, cfg := &kafkatest.Tap{}, d.config()
	cfg.Kafka.Options, cfg.TransactionTimeout = wire.Option(), 30*time.Second
	cfg.Retry = muster.RetryPolicy{Attempts: 1_000_000, Within: time.Hour, First: 10 * time.Millisecond, Longest: 50 * time.Millisecond}
	s := start(t, cfg, d.behaviour())
	answers := d.batch(s, wire, apply, "poison", "refused", "good", "hot")

	for _, account := range []string{"poison", "refused", "good"} {
		if n := d.ran(account); n != runs {
			t.Errorf("%s was executed %d times, want %d", account, n, runs)
		}
	}
	if err := answers["poison"].err; muster.ReasonOf(err) != muster.ReasonPanic {
		t.Errorf("poison: %v", err)
	}
	refused := answers["refused"].err
	if want := fmt.Sprintf("refused in run %d", runs); muster.CodeOf(refused) != muster.FailedPrecondition || !strings.Contains(fmt.Sprint(refused), want) {
		t.Errorf("refused: %v; want %q", refused, want)
	}
	j := d.journal()
	events := map[string]muster.Position{}
	for i := range j.Events[0] {
		events[j.Events[0][i].AggregateID] = j.Events[0][i].Position()
	}
	if keys := slices.Sorted(maps.Keys(events)); j.Len() != 2 || !slices.Equal(keys, []string{"good", "hot"}) {
		t.Errorf("%d events, of %v; want one each of good and hot", j.Len(), keys)
	}
	for _, account := range []string{"good", "hot"} {
		if a := answers[account]; a.err != nil || a.receipt.Revision != 1 || a.receipt.Position != events[account] {
			t.Errorf("%s: %+v, %v; its event is at %v", account, a.receipt, a.err, events[account])
		}
	}
	if dead := deadLetters(t, d.brokers, d.group); !slices.Equal(dead, []string{"poison"}) {
		t.Errorf("dead letters of %v; want one", dead)
	}

	// What was answered is remembered, the refusal too, though the journal has nothing of it.
	for _, account := range []string{"good", "refused"} {
		again := d.call(s, account)
		if fmt.Sprint(again.err) != fmt.Sprint(answers[account].err) || again.receipt.Position != answers[account].receipt.Position || d.ran(account) != runs {
			t.Errorf("%s again: %+v; executed %d times", account, again, d.ran(account))
		}
	}
	if got, err := d.balance.Call(d.within(), s.Client(), "good", ask{}); err != nil || got.Balance != 1 {
		t.Errorf("balance %+v, %v", got, err)
	}
}

// The answer to the end of a transaction is lost, and with it went what leaves no trace in the journal: a dead letter, a refusal, a command that
// waits. The offsets are part of the transaction and tell what became of it: what was committed is not done again and its callers get the answers that
// were decided; what was aborted is decided once more.
func TestFaultEndTxnNeverAnsweredIsFoundOut(t *testing.T) {
	t.Run("carried-out", func(t *testing.T) {
		t.Parallel()
		newDoubt(t, anyBrokers(t)).inDoubt(true, 1)
	})
	t.Run("not-carried-out", func(t *testing.T) {
		t.Parallel()
		newDoubt(t, anyBrokers(t)).inDoubt(false, 2)
	})
}

// While the end of a transaction is in doubt nothing of it is stored or answered: when it was not carried out, the caller gets what its command
// came to the second time. The handler numbers its runs, so that an answer tells which one it is from.
func TestFaultNothingIsToldWhileInDoubt(t *testing.T) {
	st, wire, runs := newStage(t, anyBrokers(t), 1), &kafkatest.Tap{}, atomic.Int64{}
	cfg := st.config()
	cfg.Kafka.Options, cfg.TransactionTimeout = wire.Option(), 30*time.Second
	owner := st.owner(func(_ context.Context, root *muster.Root[*account], _ deposit) (account, error) {
		run := runs.Add(1)
		st.credited.Emit(root, credited{Amount: run})
		return account{Balance: run}, nil
	})
	s := start(t, cfg, owner)
	wire.ArmUntil(kmsg.EndTxn, kmsg.InitProducerID, false)
	got, err := st.deposit.Call(st.within(), s.Client(), "acc-1", deposit{}, muster.Timeout(30*time.Second))
	if err != nil || got.Balance != 2 || runs.Load() != 2 {
		t.Fatalf("the answer is that of run %d of %d, %v; want 2 of 2", got.Balance, runs.Load(), err)
	}
	if peeked, err := owner.Peek(s, "acc-1"); err != nil || peeked.Revision != 1 || peeked.State.Balance != 2 {
		t.Errorf("stored is %+v, %v; want revision 1 of run 2", peeked, err)
	}
}

// The group does not tell at once what is committed, and does not take the proof of membership at once: the lane asks until it knows.
func TestFaultEndTxnNeverAnsweredAndTheGroupBusy(t *testing.T) {
	broker := kafkatest.Embedded(t, embedded.Config{})
	d := newDoubt(t, broker.Brokers())
	d.lost = func() {
		fetches := broker.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.UnstableOffsetCommit, Count: 3})
		proofs := broker.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.IllegalGeneration, Count: 2, When: func(r kmsg.Request) bool {
			commit, is := r.(*kmsg.OffsetCommitRequest)
			return is && commit.Topics[0].Partitions[0].Metadata != nil // one waits: it is not the gate's
		}})
		t.Cleanup(func() {
			if fetches.Hits() != 3 || proofs.Hits() != 2 {
				t.Errorf("%d fetches and %d commits were refused, want 3 and 2", fetches.Hits(), proofs.Hits())
			}
		})
	}
	d.inDoubt(true, 1)
}

// A command that was written and nothing else is written once, too, whatever its receiver would make of a second one.
func TestFaultEndTxnNeverAnsweredOfWrittenCommands(t *testing.T) {
	for truth, apply := range map[string]bool{"carried-out": true, "not-carried-out": false} {
		t.Run(truth, func(t *testing.T) {
			t.Parallel()
			st, d := newStage(t, anyBrokers(t), 1), desksIn(kafkatest.UniqueName(t, "desk"), 1)
			till := d.open(t, st.brokers)
			wire, cfg := &kafkatest.Tap{}, st.config()
			cfg.Kafka.Options, cfg.TransactionTimeout = wire.Option(), 30*time.Second
			start(t, cfg, d.clerk())
			wire.ArmUntil(kmsg.EndTxn, kmsg.InitProducerID, apply)
			done := make(chan error, 1)
			go func() {
				_, err := d.take.Call(st.within(), till.Client(), "desk-1", slip{ID: "1", How: byPoking}, muster.Timeout(30*time.Second))
				done <- err
			}()
			st.until("an outcome is unknown", func() bool { return st.counter("muster_aborts_total", map[string]string{"cause": "unknown"}) == 1 })
			if err := <-done; err != nil {
				t.Error(err)
			}
			if written := committedRecords(t, st.brokers, d.till.CommandTopic("")); len(written) != 1 {
				t.Errorf("%d commands were written, want 1", len(written))
			}
			d.paidOnce(t, st.brokers, []string{"1"})
		})
	}
}

// Who does not get the answer is cut off as well, until another owner has the partition: that one goes on behind what was committed, and the first
// one leaves it alone when it is back.
func TestFaultEndTxnNeverAnsweredAndTakenOver(t *testing.T) {
	d := newDoubt(t, anyBrokers(t))
	wire, cfg := &kafkatest.Tap{}, d.config()
	cfg.Kafka.Options, cfg.TransactionTimeout, cfg.SessionTimeout = wire.Option(), 2*time.Second, 6*time.Second
	s := start(t, cfg, d.behaviour())
	caller := start(t, callerOf(d.stage))
	d.send(caller, "gate", "gate", 1)
	d.until("the gate is being decided", func() bool { return d.ran("gate") == 1 })
	for _, account := range []string{"poison", "refused", "good", "hot"} {
		d.send(caller, account, account, 1)
	}
	d.until("the others are one batch", func() bool { return d.counter("muster_lag_commands", nil) == 4 })
	wire.Arm(kmsg.EndTxn, 1_000_000, true)
	close(d.gate)
	d.until("an answer is lost", func() bool { return wire.Losses() > 0 })
	wire.Sever()
	d.there.Store(true)
	other := d.config()
	other.Metrics, other.SessionTimeout = nil, cfg.SessionTimeout
	heir := start(t, other, d.behaviour())
	eventually(t, "what waited is done by the heir", func() bool { return d.journal().Len() == 2 })
	unknown := func() float64 { return d.counter("muster_aborts_total", map[string]string{"cause": "unknown"}) }
	d.until("the first one knows that it does not know", func() bool { return unknown() >= 1 })
	wire.Mend()
	eventually(t, "the first one is back", func() bool { return s.Ready() == nil })
	for _, by := range []*running{s, heir} {
		if err := d.teller(by, "later", "later-"+by.Instance()); err != nil {
			t.Error(err)
		}
	}
	for _, account := range []string{"poison", "refused", "good"} {
		if n := d.ran(account); n != 1 {
			t.Errorf("%s was executed %d times, want once", account, n)
		}
	}
	if dead := deadLetters(t, d.brokers, d.group); !slices.Equal(dead, []string{"poison"}) {
		t.Errorf("dead letters of %v; want one", dead)
	}
	if n := d.journal().Len(); n != 4 {
		t.Errorf("%d events, want 4", n)
	}
	if n := unknown(); n != 1 {
		t.Errorf("%v outcomes are unknown, want 1", n)
	}
}
