package service_test

import (
	"runtime"
	"sync"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

var oneErasurePartition = muster.Partitions(1)

// An erasure comes while an owner folds the events of the person, which it has opened already. It does not acknowledge before the state that comes of it
// is replaced: whether it gets to the end of the recovery, is killed behind that, or loses the partition in the middle of it.
func TestErasureDuringARecovery(t *testing.T) {
	for name, point := range map[string]string{
		"goes on": "", "killed when it is folded anew": "erasing-folded", "killed when rows are replaced": "erasing-rows",
		"killed before it is noted": "erasing-replaced", "killed before it is acknowledged": "erasure-carried-out", "taken over": "",
	} {
		t.Run(name, func(t *testing.T) {
			h := newErasureHouse(t)
			h.alter = func(c *service.Config) { c.Recovery.SnapshotEvery = -1 } // so that events are folded
			s := h.start(t.TempDir(), nil, h.owner())
			h.signsUp(s, "anna", "Anna")
			h.signsUp(s, "bert", "Bert")
			s.end()
			folding, proceed, hit := make(chan struct{}), make(chan struct{}), make(chan struct{})
			var once, reached sync.Once
			h.folds = func(name string) {
				if name == "Anna" {
					once.Do(func() { close(folding) })
					<-proceed
				}
			}
			release := sync.OnceFunc(func() { close(proceed) })
			t.Cleanup(release)
			armed := make(chan struct{})
			dir := t.TempDir()
			cfg := h.config(dir, func(at string) {
				select {
				case <-armed:
				default:
					return // of the partition that is served already
				}
				if at == point {
					reached.Do(func() { close(hit) })
					runtime.Goexit()
				}
			}, h.owner())
			s = openUnready(t, cfg, h.owner())
			t.Cleanup(release) // before the service is ended
			within(t, "the fold has opened her event", folding)
			desk := h.start("", nil)
			if _, err := desk.Privacy().Erase(t.Context(), "anna", "gdpr-17", "desk"); err != nil {
				t.Fatal(err)
			}
			duty := crypto.Duty{Service: h.name, Kind: crypto.DutyGroup, Name: h.name, Partition: kafka.Partition("anna", 2)}
			owes := func() bool {
				e, err := desk.Privacy().Status(t.Context(), "anna")
				return err == nil && e.State == crypto.ErasurePropagating && len(e.Missing()) == 1 && e.Missing()[0] == duty
			}
			eventually(t, "the other partition has acknowledged", owes)
			proof, err := s.Privacy().VerifyErased(bounded(t), "anna")
			if err != nil || proof.Proven() || len(proof.Unseen) != 1 || proof.Unseen[0] != (service.Unseen{Duty: duty, Why: "recovering"}) {
				t.Errorf("of a partition that is being recovered the proof says %+v, %v", proof, err)
			}
			h.folds = nil
			close(armed)
			switch {
			case name == "taken over":
				s.stop()
				release()
				s.end()
			case point != "":
				release()
				within(t, "it comes to the point", hit)
				if !owes() {
					t.Error("it was acknowledged before the state was replaced")
				}
				s.end()
			default:
				release()
			}
			if name == "taken over" {
				s = h.start(t.TempDir(), nil, h.owner())
			} else if point != "" {
				s = h.start(dir, nil, h.owner())
			}
			h.await(desk, "anna")
			h.wantErased(s, nil, "anna", "bert")
		})
	}
}

// A partition is read again from snapshots while an erasure replaces what is stored, so that old states come back behind it. The erasure is not noted
// for these rows, and is carried out on them, too.
func TestErasureBesideARecovery(t *testing.T) {
	h := newErasureHouse(t, oneErasurePartition)
	dir := t.TempDir()
	s := h.start(dir, nil, h.owner())
	h.signsUp(s, "anna", "Anna")
	h.signsUp(s, "bert", "Bert")
	s.end() // writes snapshots
	var once sync.Once
	var again *running
	begun := make(chan struct{})
	cfg := h.config(dir, func(at string) {
		if at != "erasing-rows" {
			return
		}
		once.Do(func() {
			<-begun
			again.Anew(h.group, 0)
			eventually(t, "the partition serves again", func() bool {
				status := again.Status()
				return len(status) == 1 && status[0].State == service.Serving
			})
		})
	}, h.owner())
	again = start(t, cfg, h.owner())
	close(begun)
	h.erases(again, "anna")
	h.wantErased(again, nil, "anna", "bert")
}

func within(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-bounded(t).Done():
		t.Fatalf("still waiting: %s", what)
	}
}
