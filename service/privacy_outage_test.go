package service_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/internal/sealtest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

// sealedClub starts an owner of the club with the codec that has switches.
func sealedClub(t *testing.T) (*club, *sealtest.Codec, service.Config, *running) {
	t.Helper()
	c := newClub(t)
	codec := &sealtest.Codec{Fields: map[string][]string{
		"service_test.joinIn": {"name"}, "service_test.joinedFact": {"name"}, "service_test.member": {"name"},
	}}
	cfg := service.Config{
		Name: kafkatest.UniqueName(t, "club"), Brokers: kafkatest.Embedded(t, embedded.Config{}).Brokers(), DataDir: t.TempDir(), Codec: codec,
	}
	return c, codec, cfg, start(t, cfg, c.owner(), c.roll)
}

// inPartition gives an aggregate id of a partition of the club.
func inPartition(p int32, n int) string {
	for i := 0; ; i++ {
		if id := fmt.Sprintf("m-%d-%d", n, i); kafka.Partition(id, 2) == p {
			return id
		}
	}
}

func partitionStatus(s *running, p int32) service.PartitionStatus {
	for _, one := range s.Status() {
		if one.Partition == p {
			return one
		}
	}
	return service.PartitionStatus{}
}

// TestKeyStoreOutage has the keys of one person away while commands come: its partition waits and grows, the other serves, nothing is redacted, and the
// work goes on by itself.
func TestKeyStoreOutage(t *testing.T) {
	c, codec, _, s := sealedClub(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ada, bob := inPartition(0, 1), inPartition(1, 1)
	if _, err := c.join.Call(ctx, s.Client(), ada, joinIn{Name: "Ada", Plan: "gold"}); err != nil {
		t.Fatal(err)
	}
	late, err := c.join.New(ctx, s.Client(), ada, joinIn{Name: "Ada L", Plan: "gold"})
	if err != nil {
		t.Fatal(err)
	}
	codec.Fail(ada, muster.FaultUnavailable)
	if err := s.Client().Send(ctx, c.group, late); err != nil {
		t.Fatal(err)
	}
	eventually(t, "partition 0 waits for a key", func() bool { return partitionStatus(s, 0).Reason == muster.ReasonKeyUnavailable })
	if err := s.Ready(); err == nil {
		t.Error("ready while a partition waits for keys")
	}
	if _, err := c.join.Call(ctx, s.Client(), bob, joinIn{Name: "Bob"}); err != nil {
		t.Errorf("the other partition: %v", err)
	}
	if _, err := c.join.Send(ctx, s.Client(), ada, joinIn{Name: "Ada M"}); muster.CodeOf(err) != muster.Unavailable || muster.ReasonOf(err) != muster.ReasonKeyUnavailable {
		t.Errorf("a sender without keys: %v", err)
	}
	codec.Mend(ada)
	var receipt muster.Receipt
	got, err := c.join.Call(ctx, s.Client(), ada, joinIn{Name: "Ada B", Plan: "gold"}, muster.ReceiptTo(&receipt), muster.WaitFor(c.roll))
	if err != nil || receipt.Revision != 3 || got != (member{Name: "Ada B", Plan: "gold", Count: 3}) {
		t.Fatalf("afterwards: %+v at %d, %v", got, receipt.Revision, err)
	}
	if row, err := c.roll.Get(ctx, s.Views(), ada); err != nil || row.Name != "Ada B" {
		t.Errorf("the row: %+v, %v", row, err)
	}
	if is := partitionStatus(s, 0); is.State != service.Serving {
		t.Errorf("partition 0 is %+v", is)
	}
}

// TestSealedJournalThatCannotBeRead restarts an owner without its local state, for each fault that an event can have.
func TestSealedJournalThatCannotBeRead(t *testing.T) {
	for fault, want := range map[muster.PayloadFault]service.State{
		muster.FaultMissing: service.Stopped, muster.FaultTampered: service.Stopped, muster.FaultFormat: service.Stopped,
		muster.FaultUnavailable: service.Recovering, muster.FaultNoAccess: service.Recovering,
	} {
		t.Run(fault.Reason(), func(t *testing.T) {
			t.Parallel()
			c, codec, cfg, s := sealedClub(t)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			ada, bob := inPartition(0, 1), inPartition(1, 1)
			for _, id := range []string{ada, bob} {
				if _, err := c.join.Call(ctx, s.Client(), id, joinIn{Name: "Ada"}); err != nil {
					t.Fatal(err)
				}
			}
			s.end()
			cfg.DataDir, cfg.Recovery.SnapshotEvery = t.TempDir(), -1
			codec.Fail(ada, fault)
			again, err := service.Open(ctx, cfg, c.owner())
			if err != nil {
				t.Fatal(err)
			}
			run, stop := context.WithCancel(ctx)
			done := make(chan error, 1)
			go func() { done <- again.Run(run) }()
			r := &running{Service: again, t: t}
			eventually(t, fmt.Sprintf("partition 0 is %s (%s)", want, fault.Reason()), func() bool {
				is := partitionStatus(r, 0)
				return is.State == want && is.Reason == fault.Reason()
			})
			if got, err := c.look.Call(ctx, again.Client(), bob, joinIn{}); err != nil || got.Name != "Ada" {
				t.Errorf("the other partition: %+v, %v", got, err)
			}
			if want == service.Recovering { // it comes back by itself
				codec.Mend(ada)
				if got, err := c.look.Call(ctx, again.Client(), ada, joinIn{}, muster.Timeout(patience)); err != nil || got.Name != "Ada" {
					t.Errorf("afterwards: %+v, %v", got, err)
				}
			}
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSealedStateThatWasChanged: what was tampered with in the local store is made anew from the journal.
func TestSealedStateThatWasChanged(t *testing.T) {
	c, codec, cfg, s := sealedClub(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ada := inPartition(0, 1)
	if _, err := c.join.Call(ctx, s.Client(), ada, joinIn{Name: "Ada"}); err != nil {
		t.Fatal(err)
	}
	s.end()
	codec.FailOnce(muster.PurposeState, muster.FaultTampered)
	s = start(t, cfg, c.owner())
	if got, err := c.look.Call(ctx, s.Client(), ada, joinIn{}, muster.Timeout(patience)); err != nil || got.Name != "Ada" {
		t.Errorf("got %+v, %v", got, err)
	}
}
