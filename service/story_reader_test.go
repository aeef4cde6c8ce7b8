//go:build unix

package service_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/viewhttp"
)

// storyLedger is what was asked of the bank and what it has committed, so that one knows what an answer may be.
type storyLedger struct {
	mu       sync.Mutex // guards what follows
	sent, at map[string]storyRow
	ends     map[int32]muster.Position // the last commit of each partition
}

func (l *storyLedger) asks(id string, amount int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[id] = l.sent[id].plus(amount)
}

func (l *storyLedger) has(id string, amount int64, at muster.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at[id] = l.at[id].plus(amount)
	if at.Offset > l.ends[at.Partition].Offset {
		l.ends[at.Partition] = at
	}
}

func (r storyRow) plus(amount int64) storyRow {
	return storyRow{Sum: r.Sum + amount, Events: r.Events + 1, Largest: max(r.Largest, amount)}
}

// committed gives what an answer must have from now on, and the positions of it.
func (l *storyLedger) committed() (map[string]storyRow, []muster.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.at), slices.Collect(maps.Values(l.ends))
}

func (l *storyLedger) asked() map[string]storyRow {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.sent)
}

// storyReader asks for all rows again and again, one worker after another, whichever version serves. An answer may be late or refused for a moment,
// but never wrong: no deposit is there twice, none that was not sent. Every other time it asks for what was committed before, and must get that; in
// between for what there is, which must have all that an answer had before.
type storyReader struct {
	t      *testing.T
	ledger *storyLedger
	view   *projector.View[storyRow]
	stop   context.CancelFunc
	ended  chan struct{}

	mu      sync.Mutex // guards what follows
	workers []string   // addresses
	right   map[string]int
	refused int
	latest  string

	seen map[string]storyRow // the last right answer; of the goroutine that asks
}

func newStoryReader(t *testing.T, ledger *storyLedger, b *bank, workers []string) *storyReader {
	ctx, stop := context.WithCancel(t.Context())
	r := &storyReader{
		t: t, ledger: ledger, view: b.storyTotals(buildFixed)[0].(*projector.View[storyRow]), stop: stop, ended: make(chan struct{}),
		workers: workers, right: map[string]int{},
	}
	go func() {
		defer close(r.ended)
		for n := 0; ctx.Err() == nil; n++ {
			r.look(ctx, n)
		}
	}()
	t.Cleanup(r.end)
	return r
}

func (r *storyReader) end() {
	r.stop()
	<-r.ended
}

// moves says where the workers answer now.
func (r *storyReader) moves(workers []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.workers = workers
}

func (r *storyReader) look(ctx context.Context, n int) {
	r.mu.Lock()
	address := r.workers[n%len(r.workers)]
	r.mu.Unlock()
	client, err := viewhttp.NewClient(address, nil)
	if err != nil {
		r.t.Error(err)
		return
	}
	least, at := r.ledger.committed()
	if n%2 == 0 {
		least, at = r.seen, nil
	}
	page, err := r.view.Scan(ctx, client, projector.AtVersion(0), projector.AtLeast(at...))
	most := r.ledger.asked()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch code := muster.CodeOf(err); {
	case ctx.Err() != nil:
	case code == muster.Unavailable, code == muster.DeadlineExceeded:
		r.refused++
	case err != nil:
		r.t.Errorf("worker at %s: %v", address, err)
	default:
		if wrong := storyFault(page, least, most); wrong != "" {
			r.t.Errorf("worker at %s, %s, asked for %v: %s", address, page.View, at, wrong)
		}
		r.seen = map[string]storyRow{}
		for _, row := range page.Rows {
			r.seen[row.Key] = row.Value
		}
		r.right[page.View]++
		r.latest = page.View
	}
}

// storyFault says what is wrong with a page that was read between two looks at the ledger.
func storyFault(page projector.RowPage[storyRow], least, most map[string]storyRow) string {
	seen := map[string]storyRow{}
	for _, row := range page.Rows {
		if _, twice := seen[row.Key]; twice {
			return fmt.Sprintf("row %s is there twice", row.Key)
		}
		seen[row.Key] = row.Value
		from, to := least[row.Key], most[row.Key]
		if page.View == "totals@1" {
			from.Largest, to.Largest = 0, 0
		}
		if from.Largest == 0 && from.Events > 0 && page.View == "totals@2" {
			from.Largest = 1 // the answer before was of totals@1
		}
		got := row.Value
		if got.Sum < from.Sum || got.Sum > to.Sum || got.Events < from.Events || got.Events > to.Events || got.Largest < from.Largest || got.Largest > to.Largest {
			return fmt.Sprintf("row %s is %+v, want from %+v to %+v", row.Key, got, from, to)
		}
	}
	for id := range least {
		if _, is := seen[id]; !is {
			return fmt.Sprintf("row %s is missing", id)
		}
	}
	return ""
}

// awaits returns when a version has answered last.
func (r *storyReader) awaits(version string) {
	r.t.Helper()
	eventually(r.t, "the reader is answered by "+version, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.latest == version
	})
}

// more returns when so many more right answers have come.
func (r *storyReader) more(n int) {
	r.t.Helper()
	all := func() int {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.right["totals@1"] + r.right["totals@2"]
	}
	from := all()
	eventually(r.t, "the reader gets answers", func() bool { return all() >= from+n })
}
