package service_test

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

// A backup of the key topic from before an erasure comes back, and with it the keys. The ledger is replayed over it before the service reads or writes
// anything. Then the person begins again: version 1 of a new life is a key of its own, and the old one stays destroyed.
func TestRestoredKeyTopicIsCaughtBeforeServing(t *testing.T) {
	h := newErasureHouse(t)
	open := func(space string) *service.Keys {
		keys, err := service.OpenKeys(t.Context(), service.Config{Name: "people", Brokers: h.brokers}, space)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(keys.Close)
		return keys
	}
	first := open(h.name)
	h.keys = first
	s := h.start(t.TempDir(), nil, h.owner())
	h.signsUp(s, "anna", "Anna")
	h.signsUp(s, "bert", "Bert")
	old, err := first.Active(t.Context(), h.ref("anna"))
	if err != nil {
		t.Fatal(err)
	}
	restored := h.name + "-restored"
	again := open(restored)
	h.copyKeys(restored, 3) // two people and the key that wraps theirs
	eventually(t, "the backup is there", func() bool {
		_, anna := again.Active(t.Context(), h.ref("anna"))
		_, bert := again.Active(t.Context(), h.ref("bert"))
		return anna == nil && bert == nil
	})
	h.erases(s, "anna")
	s.end()

	if e, err := again.Active(t.Context(), h.ref("anna")); err != nil || e.ID != old.ID {
		t.Fatalf("the backup does not have the key: %+v, %v", e, err)
	}
	logs := newLines()
	h.keys, h.alter = again, func(c *service.Config) {
		c.Logger = slog.New(logs)
	}
	s = h.start(t.TempDir(), nil, h.owner())
	if len(logs.matching(slog.LevelError, "the key store had keys of erased subjects")) != 1 {
		t.Error("nobody is told of the backup")
	}
	if _, err := again.Active(t.Context(), h.ref("anna")); !errors.Is(err, crypto.ErrShredded) {
		t.Errorf("the key of the backup: %v", err)
	}
	h.wantErased(s, nil, "anna", "bert")

	if err := s.Privacy().Reinstate(t.Context(), "anna", "came-back", "desk"); err != nil {
		t.Fatal(err)
	}
	s.end()
	before := len(logs.matching(slog.LevelError, "the key store had keys"))
	s = h.start(t.TempDir(), nil, h.owner()) // with no key of the new life yet
	if len(logs.matching(slog.LevelError, "the key store had keys")) != before {
		t.Error("an alarm of keys that were never there")
	}
	h.signsUp(s, "anna", "Anna again")
	fresh, err := again.Active(t.Context(), h.ref("anna"))
	if err != nil || fresh.Version != 1 || fresh.Life != 1 || fresh.ID == old.ID {
		t.Errorf("the new key is %+v, %v; the old one was %+v", fresh, err, old)
	}
	if _, err := again.Lookup(t.Context(), h.ref("anna"), old.ID); !errors.Is(err, crypto.ErrShredded) {
		t.Errorf("the old key: %v", err)
	}
}

func (l *lines) matching(level slog.Level, message string) (found []line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range *l.all {
		if one.level == level && len(one.message) >= len(message) && one.message[:len(message)] == message {
			found = append(found, one)
		}
	}
	return found
}

// copyKeys writes what the house's key topic holds, n entries at least, into another one, partition by partition.
func (h *erasureHouse) copyKeys(space string, n int) {
	h.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(h.brokers...), kgo.ConsumeTopics(kafka.KeyTopic("", h.name)), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(50*time.Millisecond))
	if err != nil {
		h.t.Fatal(err)
	}
	defer client.Close()
	var backup []*kgo.Record
	for ctx := bounded(h.t); len(backup) < n; {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			backup = append(backup, &kgo.Record{Topic: kafka.KeyTopic("", space), Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers})
		})
		if ctx.Err() != nil {
			h.t.Fatalf("the key topic has %d records", len(backup))
		}
	}
	if err := client.ProduceSync(h.t.Context(), backup...).FirstErr(); err != nil {
		h.t.Fatal(err)
	}
}
