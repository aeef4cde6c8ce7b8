package viewhttp_test

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

const topic = "accounts.events"

func at(offset int64) muster.Position { return muster.Position{Topic: topic, Offset: offset} }

// copyOf is a reader over rows in memory, as one instance has them: what the view store does, in small.
type copyOf struct {
	view string // name@version that it answers for

	mu       sync.Mutex // guards the rest
	rows     map[string]entry
	applied  int64 // offset of the last event
	counters map[string]int64
	held     []int32 // shards that are served; nil: any
	stale    bool
	fail     error         // given by every Read and Watch
	broke    error         // ends the watches that are open
	changed  chan struct{} // closed with each change
	reads    []projector.Query
	blocked  chan struct{} // closed when somebody waits for a position
}

// entry is a row, or the grave of one, with the number of its last change.
type entry struct {
	row     projector.RawRow
	deleted bool
	at      int64
}

func newCopy(view string) *copyOf {
	return &copyOf{view: view, rows: map[string]entry{}, counters: map[string]int64{}, applied: -1, changed: make(chan struct{})}
}

// change does something to the copy and tells those who wait.
func (c *copyOf) change(fn func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fn()
	close(c.changed)
	c.changed = make(chan struct{})
}

// put writes a JSON row, as the next event.
func (c *copyOf) put(key, value string) {
	c.putRow(projector.RawRow{Key: key, Value: []byte(value), ContentType: muster.ContentJSON})
}

func (c *copyOf) putRow(r projector.RawRow) {
	c.change(func() {
		c.applied++
		c.rows[rowID(r)] = entry{row: r, at: c.applied}
	})
}

func rowID(r projector.RawRow) string { return r.Key + "\x00" + strconv.Itoa(int(r.Shard)) }

func (c *copyOf) drop(key string) {
	c.change(func() {
		c.applied++
		id := rowID(projector.RawRow{Key: key})
		c.rows[id] = entry{row: c.rows[id].row, deleted: true, at: c.applied}
	})
}

func (c *copyOf) check(q projector.Query) error {
	name, version, _ := strings.Cut(c.view, "@")
	if q.View != name || q.Version != 0 && strconv.Itoa(q.Version) != version {
		return muster.Errorf(muster.NotFound, "there is no view %s", q.View)
	}
	for _, s := range q.Shards {
		if c.held != nil && !slices.Contains(c.held, s) {
			e := muster.Errorf(muster.Unavailable, "shard %d is elsewhere", s)
			e.Reason, e.Retry = "not-held", true
			return e
		}
	}
	return c.fail
}

// reach waits until positions are applied; it returns with mu locked, also with an error.
func (c *copyOf) reach(ctx context.Context, positions []muster.Position) error {
	for {
		c.mu.Lock()
		if !slices.ContainsFunc(positions, func(p muster.Position) bool { return p.Topic == topic && p.Offset > c.applied }) {
			return nil
		}
		changed := c.changed
		if c.blocked != nil {
			close(c.blocked)
			c.blocked = nil
		}
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			c.mu.Lock()
			return ctx.Err()
		}
	}
}

func (c *copyOf) Read(ctx context.Context, q projector.Query) (projector.Page, error) {
	err := c.reach(ctx, q.AtLeast)
	defer c.mu.Unlock()
	c.reads = append(c.reads, q)
	if err == nil {
		err = c.check(q)
	}
	if err != nil {
		return projector.Page{}, err
	}
	p := projector.Page{View: c.view, At: []muster.Position{at(c.applied)}, Stale: c.stale, Counter: c.counters[q.Counter]}
	if q.Counter != "" {
		return p, nil
	}
	limit := cmp.Or(q.Limit, 100)
	for _, e := range c.sorted(q) {
		id := rowID(e.row)
		if q.Token != "" && (!q.Reverse && id <= q.Token || q.Reverse && id >= q.Token) {
			continue
		}
		if len(p.Rows) == limit {
			p.Token = rowID(p.Rows[limit-1])
			break
		}
		p.Rows = append(p.Rows, e.row)
	}
	return p, nil
}

// sorted gives the rows a query matches. The index "first" has the first letter of a row's key.
func (c *copyOf) sorted(q projector.Query) []entry {
	var all []entry
	for _, e := range c.rows {
		key := e.row.Key
		if e.deleted || !matches(q, key) || len(q.Shards) > 0 && !slices.Contains(q.Shards, e.row.Shard) {
			continue
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(rowID(a.row), rowID(b.row)) })
	if q.Reverse {
		slices.Reverse(all)
	}
	return all
}

func matches(q projector.Query, key string) bool {
	switch {
	case q.Index != "":
		return q.Index == "first" && key[:1] == q.Key
	case q.Key != "":
		return key == q.Key
	}
	return strings.HasPrefix(key, q.Prefix) && key >= q.From && (q.To == "" || key < q.To)
}

func (c *copyOf) Watch(ctx context.Context, q projector.Query, fn func(projector.Update) error) error {
	if err := c.reach(ctx, q.AtLeast); err != nil {
		c.mu.Unlock()
		return err
	}
	c.mu.Unlock()
	for shown := int64(-1); ; {
		c.mu.Lock()
		err, changed, now := c.check(q), c.changed, c.applied
		if c.broke != nil {
			err = c.broke
		}
		var fresh []entry
		for _, e := range c.rows {
			if e.at > shown && matches(q, e.row.Key) && (len(q.Shards) == 0 || slices.Contains(q.Shards, e.row.Shard)) && (!e.deleted || shown >= 0) {
				fresh = append(fresh, e)
			}
		}
		c.mu.Unlock()
		if err != nil {
			return err
		}
		slices.SortFunc(fresh, func(a, b entry) int { return cmp.Compare(a.at, b.at) })
		for _, e := range fresh {
			if err := fn(projector.Update{Row: e.row, Deleted: e.deleted, At: []muster.Position{at(now)}}); err != nil {
				return err
			}
		}
		shown = now
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// whenBlocked gives a channel that is closed when the next read or watch waits for a position.
func (c *copyOf) whenBlocked() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	blocked := make(chan struct{})
	c.blocked = blocked
	return blocked
}

func (c *copyOf) asked() []projector.Query {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.reads)
}
