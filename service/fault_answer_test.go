package service_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

// The answer to a request is lost, once the broker has carried it out, once before: nobody guesses, nothing is lost or doubled.
func TestFaultLostAnswers(t *testing.T) {
	for _, key := range []kmsg.Key{
		kmsg.Produce, kmsg.TxnOffsetCommit, kmsg.EndTxn, kmsg.OffsetCommit, kmsg.InitProducerID, kmsg.Heartbeat, kmsg.JoinGroup, kmsg.SyncGroup,
		kmsg.OffsetFetch, kmsg.Fetch, kmsg.FindCoordinator,
	} {
		for truth, apply := range map[string]bool{"carried-out": true, "not-carried-out": false} {
			t.Run(key.Name()+"/"+truth, func(t *testing.T) {
				t.Parallel()
				st := newStage(t, kafkatest.Brokers(t), 2)
				wire, cfg := &kafkatest.Tap{}, st.config()
				cfg.Kafka.Options, cfg.SessionTimeout = wire.Option(), 1500*time.Millisecond
				wire.Arm(key, 2, apply) // of the start
				s := start(t, cfg, st.owner(nil))
				st.deposits("start", 12, 4, 4, s)
				started := wire.Losses()
				wire.Arm(key, 2, apply)                // of the load
				enough := func(since time.Time) bool { // some requests are made once; that one comes is waited for
					return wire.Losses() >= 2 || started > 0 || time.Since(since) > 5*time.Second && wire.Losses() > 0 || time.Since(since) > patience
				}
				for n, began := 0, time.Now(); n == 0 || !enough(began); n++ {
					st.deposits(fmt.Sprint("load-", n), 12, 4, 4, s)
					if _, err := st.balance.Call(st.within(), s.Client(), "acc-1", ask{}); err != nil {
						t.Errorf("query: %v", err)
					}
				}
				if started+wire.Losses() == 0 {
					t.Errorf("no answer to %s was lost", key.Name())
				}
				wire.Mend()
				st.until("all partitions serve", func() bool { return s.Ready() == nil })
				st.complete(s)
			})
		}
	}
}

// The answer to EndTxn never comes: what the broker holds is found out, not guessed, by reading the journal again. The transaction was
// committed in one case and aborted in the other; the callers get the same true answer.
func TestFaultEndTxnNeverAnswered(t *testing.T) {
	for truth, apply := range map[string]bool{"carried-out": true, "not-carried-out": false} {
		t.Run(truth, func(t *testing.T) {
			t.Parallel()
			st := newStage(t, kafkatest.Brokers(t), 2)
			wire, cfg := &kafkatest.Tap{}, st.config()
			cfg.Kafka.Options, cfg.TransactionTimeout = wire.Option(), time.Second
			s := start(t, cfg, st.owner(nil))
			st.deposits("before", 8, 4, 4, s)
			wire.Arm(kmsg.EndTxn, 1_000_000, apply)
			done := make(chan struct{})
			go func() {
				defer close(done)
				st.deposits("during", 12, 4, 4, s)
			}()
			st.until("an outcome is unknown", func() bool { return st.counter("muster_aborts_total", map[string]string{"cause": "unknown"}) > 0 })
			wire.Mend()
			<-done
			st.deposits("after", 8, 4, 4, s)
			st.until("all partitions serve", func() bool { return s.Ready() == nil })
			st.complete(s)
			if n := st.counter("muster_suspensions_total", map[string]string{"group": st.group.Name(), "reason": "unknown-outcome"}); n == 0 {
				t.Error("muster_suspensions_total of reason unknown-outcome is 0")
			}
		})
	}
}

// The owner loses the network for longer than its session and its transactions, while it works, and gets it back.
func TestFaultNetworkGone(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 2)
	wire, cfg := &kafkatest.Tap{}, st.config()
	cfg.Kafka.Options, cfg.TransactionTimeout, cfg.SessionTimeout = wire.Option(), 500*time.Millisecond, session
	s := start(t, cfg, st.owner(nil))
	caller := start(t, callerOf(st))
	st.deposits("before", 8, 4, 4, caller)
	done := make(chan struct{})
	go func() {
		defer close(done)
		st.deposits("during", 60, 4, 4, caller)
	}()
	st.until("the load runs", func() bool { return st.answered() > 12 })
	wire.Sever()
	other := cfg
	other.Kafka.Options, other.DataDir, other.Metrics = nil, t.TempDir(), nil
	heir := start(t, other, st.owner(nil)) // gets what the group takes from the lost member
	<-done
	wire.Mend()
	st.deposits("after", 20, 4, 4, caller, heir)
	st.until("the owner is back", func() bool { return s.Ready() == nil && heir.Ready() == nil })
	st.complete(caller)
}

// A cut connection is nothing to give up for: neither while a service opens, nor when it leaves the group at its end.
func TestFaultLostAnswersAtTheEdges(t *testing.T) {
	for key, times := range map[kmsg.Key]int{kmsg.ListOffsets: 1, kmsg.LeaveGroup: 2} {
		for truth, apply := range map[string]bool{"carried-out": true, "not-carried-out": false} {
			t.Run(key.Name()+"/"+truth, func(t *testing.T) {
				st := newStage(t, kafkatest.Brokers(t), 1)
				wire, cfg := &kafkatest.Tap{}, st.config()
				cfg.Kafka.Options = wire.Option()
				wire.Arm(key, times, apply)
				s := start(t, cfg, st.owner(nil))
				st.served(s, "acc-1")
				s.end() // reports a Run that ended with an error
				if wire.Losses() == 0 {
					t.Errorf("no answer to %s was lost", key.Name())
				}
			})
		}
	}
}
