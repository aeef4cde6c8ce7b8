package projector

import (
	"cmp"
	"context"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/seed-3eec0498/muster"
)

// served says which rows answer for a view.
type served struct {
	version    int
	generation int
}

// Serve says which version and generation of a view answers queries that name no version, and which generation of that version those that do. Without
// it that is the highest version of the config, and of each version the lowest generation that is stored.
func (s *Store) Serve(name string, version, generation int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := (served{version, generation}); s.serving[name] != now {
		s.serving[name] = now
		s.watching.moved(name)
	}
}

// Read implements [Reader] for what is held in this process, from one snapshot. Rows of several shards come in the order of keys; those with the
// same key one behind the other, or as one, see [Merge].
func (s *Store) Read(ctx context.Context, q Query) (Page, error) {
	if err := q.check(); err != nil {
		return Page{}, err
	}
	if err := s.enter(); err != nil {
		return Page{}, unavailable(q.View, err)
	}
	defer s.leave()
	shards, err := s.readable(&q)
	if err != nil {
		return Page{}, err
	}
	if err := s.await(ctx, &q, shards); err != nil {
		return Page{}, err
	}
	snap := s.db.NewSnapshot()
	defer func() { _ = snap.Close() }()
	page, err := s.readFrom(snap, &q, shards)
	if err != nil {
		return Page{}, unavailable(q.View, err)
	}
	return page, nil
}

// readFrom answers a query from a snapshot.
func (s *Store) readFrom(snap *pebble.Snapshot, q *Query, shards []*storeShard) (Page, error) {
	at, err := s.positions(snap, shards)
	if err != nil {
		return Page{}, err
	}
	page := Page{View: shards[0].id.projection, Generation: shards[0].id.generation, At: at}
	for _, sh := range shards {
		page.Stale = page.Stale || !sh.held.Load()
	}
	r := &pageReader{s: s, snap: snap, q: q, shards: shards, view: shards[0].view, page: &page}
	switch {
	case q.Counter != "":
		err = r.count()
	case q.Index == "" && q.Key != "":
		err = r.one(q.Key)
	default:
		err = r.scan()
	}
	return page, err
}

// positions gives up to where the shards are made in a snapshot. A source of which nothing is applied yet has no position.
func (s *Store) positions(snap *pebble.Snapshot, shards []*storeShard) ([]muster.Position, error) {
	var all []muster.Position
	for _, sh := range shards {
		at, err := s.checkpoints(snap, sh.at())
		if err != nil {
			return nil, sh.read(s, "read the positions of "+sh.id.String(), err)
		}
		for i := range at {
			if at[i].Next > 0 {
				all = append(all, at[i].Position())
			}
		}
	}
	return all, nil
}

// check tells what is wrong with a query, whatever the view, and sets its defaults.
func (q *Query) check() error {
	bad := func(format string, args ...any) error {
		return muster.Errorf(muster.InvalidArgument, "view "+q.View+": "+format, args...)
	}
	ranged := q.Prefix != "" || q.From != "" || q.To != ""
	switch {
	case q.Limit < 0 || q.Limit > MaxPageRows:
		return bad("Limit is %d; choose 1 to %d, or 0 for %d", q.Limit, MaxPageRows, DefaultPageRows)
	case q.Counter != "" && (q.Key != "" || q.Index != "" || ranged || q.Token != ""):
		return bad("a counter has no key, index, range or page token")
	case q.Key != "" && ranged:
		return bad("a key and a range cannot both be asked for")
	case q.Key != "" && q.Index == "" && q.Token != "":
		return bad("one row has no page token")
	case q.Index != "" && q.Key == "" && !ranged:
		return bad("index %q needs a value, or a prefix or range of values", q.Index)
	case q.Prefix != "" && (q.From != "" || q.To != ""):
		return bad("a prefix and a range cannot both be asked for")
	}
	if q.Limit == 0 {
		q.Limit = DefaultPageRows
	}
	return nil
}

func unavailable(view string, err error) error {
	if muster.CodeOf(err) != muster.Unknown {
		return err
	}
	e := muster.Errorf(muster.Unavailable, "view %s: %v", view, err)
	e.Retry = true
	if class := muster.PayloadFaultOf(err); class != muster.FaultUndecodable {
		e.Reason = class.Reason()
	}
	return e
}

// readable finds the shards that answer a query, in the order of their numbers: at least one.
func (s *Store) readable(q *Query) ([]*storeShard, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	view, generation := s.servingLocked(q.View, q.Version)
	if view == nil {
		if q.Version != 0 {
			return nil, muster.Errorf(muster.NotFound, "there is no view %s@%d here", q.View, q.Version)
		}
		return nil, muster.Errorf(muster.NotFound, "there is no view %s here", q.View)
	}
	if q.Index != "" && !slices.Contains(view.indexNames(), q.Index) {
		return nil, muster.Errorf(muster.InvalidArgument, "view %s has no index %q, but %q; declare it with projector.Index", view.Definition(), q.Index, view.indexNames())
	}
	var shards []*storeShard
	for id, sh := range s.shards {
		if id.projection == view.Definition().String() && id.generation == generation && (q.Stale || sh.held.Load()) &&
			(len(q.Shards) == 0 || slices.Contains(q.Shards, id.number)) {
			shards = append(shards, sh)
		}
	}
	for _, number := range q.Shards {
		if !slices.ContainsFunc(shards, func(sh *storeShard) bool { return sh.id.number == number }) {
			return nil, notHere(view, "shard %d is not held by this instance", number)
		}
	}
	if len(shards) == 0 {
		return nil, notHere(view, "this instance holds no shard of it")
	}
	slices.SortFunc(shards, func(a, b *storeShard) int { return cmp.Compare(a.id.number, b.id.number) })
	return shards, nil
}

func notHere(view AnyView, format string, args ...any) error {
	e := muster.Errorf(muster.Unavailable, "view "+view.Definition().String()+": "+format+"; ask the one that does, or allow a stale copy", args...)
	e.Retry = true
	return e
}

// servingLocked gives the view and the generation that answer. The caller holds mu.
func (s *Store) servingLocked(name string, version int) (AnyView, int) {
	says, told := s.serving[name]
	if version == 0 && told {
		version = says.version
	}
	var view AnyView
	for _, v := range s.views {
		d := v.Definition()
		if d.Name() == name && (d.Version() == version || version == 0 && (view == nil || d.Version() > view.Definition().Version())) {
			view = v
		}
	}
	if view == nil || told && says.version == view.Definition().Version() {
		return view, says.generation
	}
	generation := -1
	for id := range s.shards {
		if id.projection == view.Definition().String() && (generation < 0 || id.generation < generation) {
			generation = id.generation
		}
	}
	return view, generation
}
