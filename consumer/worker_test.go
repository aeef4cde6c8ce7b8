package consumer_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/seed-3eec0498/muster/consumer"
)

// ledger is what all workers of a test have handled: a command enters it when its offset is committed.
type ledger struct {
	mu      sync.Mutex
	handled map[int32][]string // payloads per partition, in the order they were committed
	count   int
	owners  map[int32]string // who committed last
}

func newLedger() *ledger { return &ledger{handled: map[int32][]string{}, owners: map[int32]string{}} }

func (l *ledger) enter(owner string, w *consumer.Work) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range w.Commands {
		p := w.Commands[i].Partition
		l.handled[p] = append(l.handled[p], string(w.Commands[i].Payload))
		l.owners[p] = owner
	}
	l.count += len(w.Commands)
}

func (l *ledger) total() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// owned tells of how many partitions owner was the last to commit.
func (l *ledger) owned(owner string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, by := range l.owners {
		if by == owner {
			n++
		}
	}
	return n
}

// worker handles commands as the engine does: a rebalance waits for the Work in hand, an offset enters the ledger once it is committed.
type worker struct {
	*member
	name   string
	inHand sync.RWMutex // held for reading from Poll to Done, for writing where a change is settled
	all    sync.WaitGroup
	cancel context.CancelFunc
}

func (c *cluster) work(t *testing.T, config consumer.Config, into *ledger) *worker {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	w := &worker{member: run(t, config), name: config.Instance, cancel: cancel}
	w.all.Go(func() {
		for ch := range w.Changes() {
			for _, p := range ch.Assigned {
				ch.Serve(p)
			}
			if len(ch.Revoked)+len(ch.Lost) > 0 {
				w.inHand.Lock()
				ch.Done()
				w.inHand.Unlock()
			}
		}
	})
	for lane := range w.Lanes() {
		w.all.Go(func() {
			for c.handle(ctx, w, lane, into) {
			}
		})
	}
	t.Cleanup(w.finish)
	return w
}

// handle does one Work; false when the worker is to end.
func (c *cluster) handle(ctx context.Context, w *worker, lane int, into *ledger) bool {
	batch, err := w.Poll(ctx, lane)
	if err != nil {
		return false
	}
	w.inHand.RLock()
	defer w.inHand.RUnlock()
	if err := c.commit(context.WithoutCancel(ctx), w.Consumer, batch.Commands); err != nil {
		batch.Done(0)
		return true
	}
	into.enter(w.name, batch)
	batch.Done(len(batch.Commands))
	return true
}

// finish ends the worker as a service does: no more Poll, then Run, then the group is left.
func (w *worker) finish() {
	w.cancel()
	w.stop()
	w.all.Wait()
	<-w.done
}

// whole tells whether each partition's commands are there, once and in order.
func (l *ledger) whole(t *testing.T, perPartition int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, got := range l.handled {
		if want := numbers(0, perPartition); !slices.Equal(got, want) {
			t.Errorf("partition %d: %d commands were committed, want %d; first difference at %d", p, len(got), perPartition, firstDifference(got, want))
		}
	}
}

func firstDifference(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
