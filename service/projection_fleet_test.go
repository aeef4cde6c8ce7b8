//go:build unix

package service_test

import (
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// teller makes deposits and knows what the rows must be.
type teller struct {
	t     *testing.T
	b     *bank
	owner *running
	want  map[string]balance
}

// work makes so many deposits to each of so many accounts.
func (w *teller) work(accounts, each int) {
	w.t.Helper()
	var all sync.WaitGroup
	for i := range accounts {
		id := fmt.Sprintf("acc-%d", i)
		all.Go(func() {
			for range each {
				if _, err := w.b.deposit.Call(bounded(w.t), w.owner.Client(), id, deposit{Amount: int64(i + 1)}); err != nil {
					w.t.Error(err)
				}
			}
		})
		is := w.want[id]
		w.want[id] = balance{is.Sum + int64(each*(i+1)), is.Events + int64(each)}
	}
	all.Wait()
}

// check waits until the workers, together, have applied everything, and holds their rows against what they must be.
func (w *teller) check(totals *projector.View[balance], workers ...*running) {
	w.t.Helper()
	ends, err := w.owner.JournalEnd(bounded(w.t), w.b.group)
	if err != nil {
		w.t.Fatal(err)
	}
	applied := func(end muster.Position) bool {
		for _, worker := range workers {
			if end.Offset < 0 || worker.AwaitView(bounded(w.t), "totals", 0, end) == nil {
				return true
			}
		}
		return false
	}
	for _, end := range ends {
		eventually(w.t, "somebody has applied "+end.String(), func() bool { return applied(end) })
	}
	for _, worker := range workers {
		got := map[string]balance{}
		for row, err := range totals.All(bounded(w.t), worker.Views()) { // those of the others' shards, too
			if err != nil {
				w.t.Fatal(err)
			}
			if _, twice := got[row.Key]; twice {
				w.t.Errorf("row %s is served by two instances", row.Key)
			}
			got[row.Key] = row.Value
		}
		if !maps.Equal(got, w.want) {
			w.t.Errorf("%s gives rows: %v\nwant: %v", worker.Instance(), got, w.want)
		}
	}
}

// live counts the shards of a worker that apply what comes.
func live(s *running) int {
	n := 0
	for _, st := range s.Projections() {
		if st.State == projector.Live {
			n++
		}
	}
	return n
}

// Three instances share twelve partitions, one dies without a word and another leaves and comes back, under load: the rows that all of them
// serve together are those of a fold from the beginning, no event lost, none twice.
func TestProjectionFleet(t *testing.T) {
	const partitions = 12
	brokers := anyBrokers(t)
	b := newBank(t, muster.Partitions(partitions))
	owner := start(t, service.Config{Name: kafkatest.UniqueName(t, "bank"), Brokers: brokers, DataDir: t.TempDir()}, b.owner(nil))
	w := &teller{t: t, b: b, owner: owner, want: map[string]balance{}}
	totals := b.totals()
	cfg := func(instance, dir string) service.Config {
		return service.Config{Name: b.group.Name() + "-views", Instance: instance, Brokers: brokers, DataDir: dir, SessionTimeout: session}
	}
	dirA := t.TempDir()
	a := newReplica(t, cfg("a", dirA), totals)
	w.work(40, 2)
	w.check(totals, a.running)

	dies := view(t, viewerConfig{
		Group: b.group.Name(), Partitions: partitions, Brokers: brokers, Service: b.group.Name() + "-views", Instance: "dies", Dir: t.TempDir(), Session: session,
	})
	c := newReplica(t, cfg("c", t.TempDir()), totals)
	eventually(t, "the three have a third each", func() bool { return live(a.running) == 4 && live(c.running) == 4 })
	loading := make(chan struct{})
	go func() {
		defer close(loading)
		w.work(40, 5)
	}()
	dies.kill()
	eventually(t, "the others have what it had", func() bool { return live(a.running)+live(c.running) == partitions })
	a.end() // leaves
	eventually(t, "the last one has all", func() bool { return live(c.running) == partitions })
	a = newReplica(t, cfg("a", dirA), totals) // finds rows of its first life, which are behind
	eventually(t, "the two have a half each", func() bool { return live(a.running) == 6 && live(c.running) == 6 })
	<-loading
	w.check(totals, a.running, c.running)
}
