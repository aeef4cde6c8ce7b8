package projector

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/seed-3eec0498/muster"
)

// maxWatched is how many changed keys wait for one watcher. With more it reads all rows anew, with a Reset in front.
const maxWatched = 10_000

// watcher is one call of Watch. Commits tell it which keys have changed; it reads the rows itself, when it has time. So it never holds up a writer,
// takes a bounded amount of memory, and sees the latest rows.
type watcher struct {
	q    Query
	wake chan struct{} // room for one

	mu         sync.Mutex // guards what follows; a leaf
	projection string     // whose changes count
	generation int
	keys       map[string]struct{} // changed since they were taken
	lost       bool                // everything may have changed
}

// watchers are all calls of Watch in hand.
type watchers struct {
	mu  sync.RWMutex // guards all
	all map[*watcher]struct{}
}

func (ws *watchers) add(w *watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.all == nil {
		ws.all = map[*watcher]struct{}{}
	}
	ws.all[w] = struct{}{}
}

func (ws *watchers) remove(w *watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	delete(ws.all, w)
}

// changed tells watchers which rows a batch has changed; it is behind the commit. Those of a copy concern who takes old rows.
func (ws *watchers) changed(id shardID, standby bool, r rows) {
	ws.mu.RLock()
	defer ws.mu.RUnlock()
	for w := range ws.all {
		w.mu.Lock()
		shown := !standby || w.q.Stale && (len(w.q.Shards) == 0 || slices.Contains(w.q.Shards, id.number))
		if shown && w.projection == id.projection && w.generation == id.generation && !w.lost {
			r.each(w.noteLocked)
		}
		ready := w.lost || len(w.keys) > 0
		w.mu.Unlock()
		if ready {
			w.signal()
		}
	}
}

// moved tells the watchers of a view that other rows answer from now on.
func (ws *watchers) moved(view string) {
	ws.mu.RLock()
	defer ws.mu.RUnlock()
	for w := range ws.all {
		if w.q.View != view {
			continue
		}
		w.mu.Lock()
		w.lost, w.keys = true, nil
		w.mu.Unlock()
		w.signal()
	}
}

func (w *watcher) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// noteLocked notes a changed row. The caller holds mu.
func (w *watcher) noteLocked(key string) {
	if w.lost || !w.q.has(key) {
		return
	}
	if len(w.keys) == maxWatched {
		w.lost, w.keys = true, nil
		return
	}
	if w.keys == nil {
		w.keys = map[string]struct{}{}
	}
	w.keys[strings.Clone(key)] = struct{}{}
}

// take gives what has changed and forgets it.
func (w *watcher) take() (keys []string, lost bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	keys, lost = slices.Sorted(maps.Keys(w.keys)), w.lost
	w.keys, w.lost = nil, false
	return keys, lost
}

// has tells whether the query asks for a key.
func (q *Query) has(key string) bool {
	if q.Key != "" {
		return key == q.Key
	}
	return strings.HasPrefix(key, q.Prefix) && key >= q.From && (q.To == "" || key < q.To)
}

// Watch implements [Reader] for what is held in this process: a key, a prefix or a range. It ends with an error when nothing of the view is held
// any more. A row that has changed several times is shown as it is then; one that came and went may be shown as deleted only.
func (s *Store) Watch(ctx context.Context, q Query, fn func(Update) error) error {
	switch {
	case q.Index != "":
		return muster.Errorf(muster.InvalidArgument, "view %s: an index cannot be watched; watch the rows, and read index %q again when one of them changes", q.View, q.Index)
	case q.Counter != "":
		return muster.Errorf(muster.InvalidArgument, "view %s: a counter cannot be watched; watch the rows, and read counter %q again when one of them changes", q.View, q.Counter)
	case q.Token != "" || q.Reverse:
		return muster.Errorf(muster.InvalidArgument, "view %s: a key, a prefix or a range can be watched; leave page token and order out", q.View)
	}
	q.Limit = MaxPageRows
	if err := q.check(); err != nil {
		return err
	}
	w := &watcher{q: q, wake: make(chan struct{}, 1), lost: true}
	s.watching.add(w)
	defer s.watching.remove(w)
	for first := true; ; {
		keys, lost := w.take()
		err := error(nil)
		switch {
		case lost:
			err = s.show(ctx, w, first, fn)
			first = false
		case len(keys) > 0:
			err = s.showKeys(w, keys, fn)
		}
		if err != nil {
			return err
		}
		select {
		case <-w.wake:
		case <-s.disk.Closing():
			return unavailable(q.View, ErrClosed)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// show shows all rows. Each page has a snapshot of its own, so that a watcher that takes its time holds none: what has changed meanwhile comes behind.
func (s *Store) show(ctx context.Context, w *watcher, first bool, fn func(Update) error) error {
	q := w.q
	for {
		page, err := s.watched(ctx, w, &q)
		if err != nil {
			return err
		}
		if !first {
			first = true
			if err := fn(Update{Reset: true, At: page.At}); err != nil {
				return err
			}
		}
		for _, row := range page.Rows {
			if err := fn(Update{Row: row, At: page.At}); err != nil {
				return err
			}
		}
		if q.Token = page.Token; q.Token == "" {
			return nil
		}
	}
}

// watched reads a page, and makes the watcher follow what it was read from.
func (s *Store) watched(ctx context.Context, w *watcher, q *Query) (Page, error) {
	if err := s.enter(); err != nil {
		return Page{}, unavailable(q.View, err)
	}
	defer s.leave()
	shards, err := s.readable(q)
	if err != nil {
		return Page{}, err
	}
	w.mu.Lock()
	w.projection, w.generation = shards[0].id.projection, shards[0].id.generation // before the snapshot, so that nothing behind it is missed
	w.mu.Unlock()
	if err := s.await(ctx, q, shards); err != nil {
		return Page{}, err
	}
	snap := s.db.NewSnapshot()
	defer func() { _ = snap.Close() }()
	page, err := s.readFrom(snap, q, shards)
	if err != nil {
		return Page{}, unavailable(q.View, err)
	}
	return page, nil
}

// showKeys shows single rows, from one snapshot.
func (s *Store) showKeys(w *watcher, keys []string, fn func(Update) error) error {
	q := w.q
	updates, err := s.updates(&q, keys)
	if err != nil {
		return unavailable(q.View, err)
	}
	for _, u := range updates {
		if err := fn(u); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) updates(q *Query, keys []string) ([]Update, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	shards, err := s.readable(q)
	if err != nil {
		return nil, err
	}
	snap := s.db.NewSnapshot()
	defer func() { _ = snap.Close() }()
	at, err := s.positions(snap, shards)
	if err != nil {
		return nil, err
	}
	var all []Update
	for _, key := range keys {
		one, err := s.updatesOf(snap, q, shards, key)
		if err != nil {
			return nil, err
		}
		for i := range one {
			one[i].At = at
		}
		all = append(all, one...)
	}
	return all, nil
}

// updatesOf gives the rows under a key, or that there is none.
func (s *Store) updatesOf(snap *pebble.Snapshot, q *Query, shards []*storeShard, key string) ([]Update, error) {
	page := Page{}
	r := &pageReader{s: s, snap: snap, q: q, shards: shards, view: shards[0].view, page: &page}
	if err := r.one(key); err != nil {
		return nil, err
	}
	if len(page.Rows) == 0 {
		return []Update{{Row: RawRow{Key: key, Shard: shards[0].id.number}, Deleted: true}}, nil
	}
	all := make([]Update, len(page.Rows))
	for i, row := range page.Rows {
		all[i].Row = row
	}
	return all, nil
}
