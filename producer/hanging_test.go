package producer_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/producer"
)

// Partitions lose their last replica between the end of a transaction and its markers, which Apache Kafka then never writes. All cases share
// one such moment.
func TestRealHangingTransactions(t *testing.T) {
	b := newBlackout(t)
	at := b.partitions[:8] // it leads a third of 24
	found := newFindings()

	_, _, resting := b.commit("resting", at[0], found.listen)
	refused := &claims{claim: b.claims.claim, next: []kafka.Claim{{Group: b.group.Name(), Member: "nobody", Generation: 7}}}
	busy, _, answer := b.commit("busy", at[1], found.listen, func(c *producer.Config) { c.Claims = refused })
	restarted, restartedName, restart := b.commit("restarted", at[2])
	gone, goneName, going := b.commit("gone", at[3])
	weak, weakName, weakening := b.commit("weak", at[4])
	forgotten, forgottenName, forgetting := b.commit("forgotten", at[5])
	abortedName := b.instance("aborted")
	aborting := b.begin(b.id(abortedName), at[6])
	trimming := b.trim(at[7], muster.EventKey{AggregateID: "acc-trimmed", Revision: 1}, found.listen)

	b.dark()
	want(t, <-answer, nil)
	again := make(chan error, 1) // the slot's next transaction gets as far as the journal, once there is one, and is aborted
	go func() { again <- busy.Lane(0).Commit(t.Context(), b.decide("again", at[1])) }()
	for _, answer := range []chan error{resting, restart, going, weakening, forgetting} {
		want(t, <-answer, nil)
	}
	if err := aborting.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	want(t, <-trimming, nil)
	for _, p := range []*producer.Producer{restarted, gone, weak, forgotten} {
		p.Close()
	}
	b.initialise(b.id(forgottenName)) // by somebody who does not look for what hangs
	b.light()
	for i, p := range at[2:7] {
		if !b.stuck(p) {
			t.Fatalf("nothing hangs in case %d, partition %d; has Kafka learnt to write these markers? Then much here can go", i+2, p)
		}
	}
	if !b.pending(at[5]) {
		t.Error("the offsets of a hanging transaction are not pending")
	}
	healer := b.open(found.listen, func(c *producer.Config) { c.Instance = "healer" })

	t.Run("the slot's next transaction is aborted", func(t *testing.T) {
		want(t, <-again, muster.ErrFenced)
		b.visible(t, "busy", at[1])
		b.visible(t, "again", at[1], none)
		found.await(t, b.group.JournalTopic(""), at[1], producer.OutcomeCommitted)
	})
	t.Run("the slot rests", func(t *testing.T) {
		found.await(t, b.group.JournalTopic(""), at[0], producer.OutcomeCommitted)
		b.visible(t, "resting", at[0])
	})
	t.Run("the keeper rests", func(t *testing.T) {
		found.await(t, b.group.JournalTopic(""), at[7], producer.OutcomeCommitted)
		b.visible(t, "trimmed", at[7]) // the tombstone
	})
	t.Run("the instance is started again", func(t *testing.T) {
		b.open(found.listen, func(c *producer.Config) { c.Instance = restartedName })
		b.visible(t, "restarted", at[2])
		found.await(t, b.group.JournalTopic(""), at[2], producer.OutcomeCommitted)
	})
	t.Run("the instance lives", func(t *testing.T) {
		healed, stuck, err := healer.HealHanging(t.Context(), at[3], []string{goneName})
		if err != nil || len(healed)+len(stuck) != 0 || !b.stuck(at[3]) {
			t.Errorf("healed %v, left alone %v, %v", healed, stuck, err)
		}
	})
	t.Run("the instance is gone", func(t *testing.T) {
		healed, stuck, err := healer.HealHanging(t.Context(), at[3], nil)
		if err != nil || !slices.Equal(healed, []string{b.id(goneName)}) || len(stuck) != 0 {
			t.Errorf("healed %v, left alone %v, %v", healed, stuck, err)
		}
		b.visible(t, "gone", at[3])
	})
	t.Run("it was aborted", func(t *testing.T) {
		healed, stuck, err := healer.HealHanging(t.Context(), at[6], nil)
		if err != nil || !slices.Equal(healed, []string{b.id(abortedName)}) || len(stuck) != 0 {
			t.Errorf("healed %v, left alone %v, %v", healed, stuck, err)
		}
		b.visible(t, "left", at[6], none)
	})
	t.Run("no right on the cluster", func(t *testing.T) {
		if err := healer.Finish(t.Context(), b.id(weakName), at[4]); err != nil {
			t.Fatal(err)
		}
		b.visible(t, "weak", at[4])
	})
	t.Run("nobody knows the outcome", func(t *testing.T) {
		healed, stuck, err := healer.HealHanging(t.Context(), at[5], nil)
		if err != nil || len(healed) != 0 || len(stuck) != 1 {
			t.Fatalf("healed %v, left alone %v, %v", healed, stuck, err)
		}
		s := stuck[0]
		if s.ID != b.id(forgottenName) || s.Partition != at[5] || s.Topic != b.group.JournalTopic("") || s.Outcome != producer.OutcomeUnknown {
			t.Errorf("left alone: %v", s)
		}
		healed, stuck, err = healer.HealPending(t.Context(), nil)
		if err != nil || len(healed) != 0 || len(stuck) != 1 || stuck[0].ID != s.ID || stuck[0].Topic != "__consumer_offsets" {
			t.Errorf("offsets: healed %v, left alone %v, %v", healed, stuck, err)
		}
		if !b.stuck(at[5]) || !b.pending(at[5]) {
			t.Error("it was ended all the same")
		}
	})
}

// findings is what Config.OnHanging told.
type findings struct {
	mu  sync.Mutex // guards all; any goroutine adds, the test reads
	all []producer.Hanging
	new chan struct{} // has room for one: there are more
}

func newFindings() *findings { return &findings{new: make(chan struct{}, 1)} }

func (f *findings) listen(c *producer.Config) { c.OnHanging = f.add }

func (f *findings) add(h producer.Hanging) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, h)
	select {
	case f.new <- struct{}{}:
	default:
	}
}

// await waits until an outcome was told of a partition.
func (f *findings) await(t *testing.T, topic string, partition int32, outcome string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	for {
		f.mu.Lock()
		told := slices.ContainsFunc(f.all, func(h producer.Hanging) bool {
			return h.Topic == topic && h.Partition == partition && h.Outcome == outcome
		})
		f.mu.Unlock()
		if told {
			return
		}
		select {
		case <-f.new:
		case <-ctx.Done():
			t.Fatalf("not told that %s[%d] was %s: %v", topic, partition, outcome, f.all)
		}
	}
}
