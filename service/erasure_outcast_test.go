package service_test

import (
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/service"
)

// outcasts is a house in which the first instance was put out of the consumer group and does not know: its heartbeats are answered as if it were a member.
func outcasts(t *testing.T, failpoint func(string)) (h *erasureHouse, outcast *running) {
	t.Helper()
	broker := kafkatest.Embedded(t, embedded.Config{})
	h = erasureHouseOf(kafkatest.UniqueName(t, "people"), broker.Brokers())
	h.t, h.keys, h.kms = t, crypto.NewMemoryKeys(), crypto.NewMemoryKMS()
	h.alter = func(cfg *service.Config) { cfg.Instance = "one" }
	outcast = h.start(t.TempDir(), failpoint, h.owner())
	h.signsUp(outcast, "anna", "Anna")
	broker.Cluster().ControlKey(int16(kmsg.Heartbeat), func(r kmsg.Request) (kmsg.Response, error, bool) {
		broker.Cluster().KeepControl()
		beat := r.(*kmsg.HeartbeatRequest)
		if beat.InstanceID == nil || *beat.InstanceID != "one" {
			return nil, nil, false
		}
		return beat.ResponseKind(), nil, true
	})
	client, err := kgo.NewClient(kgo.SeedBrokers(h.brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	left, err := kadm.NewClient(client).LeaveGroup(bounded(t), kadm.LeaveGroup(h.group.Name()).InstanceIDs("one"))
	if err == nil {
		err = left.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	h.alter = func(cfg *service.Config) { cfg.Instance = "two" }
	return h, outcast
}

// An instance that does not know yet that it was put out of the group has rows that nobody carries an erasure out in. It says nothing of its partitions, good
// or bad: who has them does.
func TestAnOutcastProvesNothing(t *testing.T) {
	h, outcast := outcasts(t, nil)
	heir := h.start(t.TempDir(), nil, h.owner())
	h.signsUp(heir, "anna", "Anna") // so the rows of the outcast lie behind
	h.erases(heir, "anna")
	proof, err := outcast.Privacy().VerifyErased(bounded(t), "anna")
	if err != nil || len(proof.Faults) > 0 || len(proof.Unseen) != 2 || proof.Unseen[0].Why != "elsewhere" || proof.Unseen[1].Why != "elsewhere" {
		t.Errorf("the one put out proves %+v, %v", proof, err)
	}
	if proof, err = heir.Privacy().VerifyErased(bounded(t), "anna"); err != nil || !proof.Proven() || proof.Aggregates != 1 {
		t.Errorf("the one that has the partitions proves %+v, %v", proof, err)
	}
}

// Nor does it acknowledge for them, although it has carried the erasure out in its own rows.
func TestAnOutcastAcknowledgesNothing(t *testing.T) {
	carried, behind := make(chan struct{}), make(chan struct{})
	var looks atomic.Int64
	h, _ := outcasts(t, func(at string) {
		if at == "erasure-carried-out" && looks.Add(1) == 2 { // it has looked once, and owes still
			close(carried)
		}
	})
	heir := h.start(t.TempDir(), func(at string) {
		if at == "erasing-heard" {
			<-behind
		}
	}, h.owner())
	e, err := h.start("", nil).Privacy().Erase(bounded(t), "anna", "gdpr-17", "desk")
	if err != nil || len(e.Missing()) != 2 {
		t.Fatalf("%+v, %v", e, err)
	}
	within(t, "the one put out has looked twice", carried)
	if e, err = heir.Privacy().Status(bounded(t), "anna"); err != nil || len(e.Missing()) != 2 {
		t.Errorf("while the one that has the partitions has done nothing it says %+v, %v", e, err)
	}
	close(behind)
	h.await(heir, "anna")
}
