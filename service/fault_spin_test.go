package service_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

// While the group refuses an owner's commits and the owner does not know why yet, it tries again with pauses: a refusal costs two round trips
// and a transaction, and thousands of them per second help nobody.
func TestFaultRefusedClaimsAreNoSpin(t *testing.T) {
	for _, refusal := range []*kerr.Error{kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.ProducerFenced, kerr.InvalidProducerEpoch} {
		t.Run(refusal.Message, func(t *testing.T) {
			broker := kafkatest.Embedded(t, embedded.Config{})
			st := newStage(t, broker.Brokers(), 1)
			cfg := st.config()
			cfg.SessionTimeout = 8 * time.Second // a heartbeat every two seconds
			s := start(t, cfg, st.owner(nil))
			st.served(s, "acc-1")
			faults := broker.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: refusal, Count: -1})
			if _, err := st.deposit.Send(t.Context(), s.Client(), "acc-1", deposit{Amount: 1}, muster.CommandID("refused")); err != nil {
				t.Fatal(err)
			}
			st.until("it is refused", func() bool { return faults.Hits() > 0 })
			from, began := faults.Hits(), time.Now()
			st.until("half a second has passed", func() bool { return time.Since(began) > 500*time.Millisecond })
			n, took := faults.Hits()-from, time.Since(began) // longer than half a second on a busy machine
			if float64(n) > 100*took.Seconds() {
				t.Errorf("%d refused commits in %v; want pauses between them", n, took)
			}
			faults.Remove()
			if err := st.teller(s, "acc-1", "refused"); err != nil {
				t.Error(err)
			}
		})
	}
}
