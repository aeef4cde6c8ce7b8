package service_test

import (
	"log/slog"
	"sync"
	"testing"

	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

// A partition is read anew, and nothing of it is there yet, while an erasure writes the snapshots of what it has replaced. It writes none of what is not there:
// they are what a later owner begins with.
func TestErasureWritesNoSnapshotOfWhatIsReadAnew(t *testing.T) {
	h := newErasureHouse(t, oneErasurePartition)
	logs := newLines()
	h.alter = func(c *service.Config) { c.Recovery.SnapshotEvery, c.Logger = -1, slog.New(logs) }
	folding, proceed, begun := make(chan struct{}), make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(proceed) })
	t.Cleanup(release)
	armed := make(chan struct{})
	var once, read sync.Once
	h.folds = func(name string) {
		select {
		case <-armed:
			if name == "Bert" {
				read.Do(func() { close(folding) })
				<-proceed
			}
		default:
		}
	}
	var s *running
	cfg := h.config(t.TempDir(), func(at string) {
		switch at {
		case "erasing-rows":
			once.Do(func() {
				<-begun
				close(armed)
				s.Anew(h.group, 0)
				within(t, "the partition is read anew", folding)
			})
		case "erasing-replaced": // with snapshots; from here on it waits for what it is behind
			release()
		}
	}, h.owner())
	s = start(t, cfg, h.owner())
	t.Cleanup(release) // before the service is ended
	h.signsUp(s, "anna", "Anna")
	h.signsUp(s, "bert", "Bert")
	close(begun)
	if _, err := s.Privacy().Erase(t.Context(), "anna", "gdpr-17", "desk"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the snapshots are written, or not", func() bool {
		select {
		case <-proceed:
			return true
		default:
			return len(logs.matching(slog.LevelWarn, "what a partition has of erased subjects is not replaced yet")) > 0
		}
	})
	release()
	h.await(s, "anna")
	h.wantErased(s, nil, "anna", "bert")
	for _, r := range committedRecords(t, h.brokers, h.group.SnapshotTopic("")) {
		if _, _, err := kafka.DecodeSnapshot(r, h.group); err != nil {
			t.Errorf("a snapshot: %v", err)
		}
	}
}
