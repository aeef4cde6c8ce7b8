package projector

import (
	"context"
	"iter"

	"github.com/seed-3eec0498/muster"
)

// Row is one row of a view.
type Row[V any] struct {
	Key   string
	Value V
	Shard int32 // whose row it is; of several shards with [Merge] one of them
}

// RowPage is what a read has found, from one snapshot per instance.
type RowPage[V any] struct {
	View  string // name@version that answered
	Rows  []Row[V]
	Token string            // for the next page, see [PageToken]; empty: that was all
	At    []muster.Position // up to where the rows were made, per source
	Stale bool              // a copy has answered, see [Stale]
}

// Get gives the row under a key. NotFound: there is none, in a view that may be behind; [AtLeast] makes it wait for a position.
func (v *View[V]) Get(ctx context.Context, from Reader, key string, opts ...ReadOption) (V, error) {
	var none V
	page, err := v.read(ctx, from, Query{Key: key}, opts)
	switch {
	case err != nil:
		return none, err
	case key == "":
		return none, muster.Errorf(muster.InvalidArgument, "view %s: Get needs a key; use Scan for many rows", v)
	case len(page.Rows) == 0:
		return none, muster.Errorf(muster.NotFound, "view %s has no row %q", page.View, key)
	case len(page.Rows) > 1:
		return none, muster.Errorf(muster.FailedPrecondition, "view %s has row %q in the shards %d and %d; say with Merge how they become one, or use Scan",
			page.View, key, page.Rows[0].Shard, page.Rows[1].Shard)
	}
	return page.Rows[0].Value, nil
}

// Scan gives a page of rows in the order of their keys, by bytes.
func (v *View[V]) Scan(ctx context.Context, from Reader, opts ...ReadOption) (RowPage[V], error) {
	return v.read(ctx, from, Query{}, opts)
}

// All gives all rows in the order of their keys, page by page as they are asked for, all of one generation. After an error it ends; with one that is Aborted
// a rebuild has taken over meanwhile, so that what was given so far is to be forgotten and read anew, see [PageToken].
func (v *View[V]) All(ctx context.Context, from Reader, opts ...ReadOption) iter.Seq2[Row[V], error] {
	return v.all(ctx, from, Query{}, opts)
}

// ByIndex gives the rows that an index has under a value, in the order of their keys. With [Prefix] or [Range] and an empty value it gives
// those of several values, in the order of the values and then of the keys; a row can come more than once then.
func (v *View[V]) ByIndex(ctx context.Context, from Reader, index, value string, opts ...ReadOption) (RowPage[V], error) {
	return v.read(ctx, from, Query{Index: index, Key: value}, opts)
}

// AllByIndex is [View.ByIndex] to the end, page by page.
func (v *View[V]) AllByIndex(ctx context.Context, from Reader, index, value string, opts ...ReadOption) iter.Seq2[Row[V], error] {
	return v.all(ctx, from, Query{Index: index, Key: value}, opts)
}

// Count gives a counter, summed over all shards; 0 where nothing was added to it.
func (v *View[V]) Count(ctx context.Context, from Reader, counter string, opts ...ReadOption) (int64, error) {
	q := v.query(Query{Counter: counter}, opts)
	if counter == "" {
		return 0, muster.Errorf(muster.InvalidArgument, "view %s: Count needs the name of a counter", v)
	}
	page, err := from.Read(ctx, q)
	return page.Counter, err
}

// query adds what the options say. The version is that of the view value: it knows how its rows are decoded.
func (v *View[V]) query(q Query, opts []ReadOption) Query {
	q.View, q.Version = v.Name(), v.Version()
	for _, opt := range opts {
		opt(&q)
	}
	return q
}

func (v *View[V]) read(ctx context.Context, from Reader, q Query, opts []ReadOption) (RowPage[V], error) {
	page, err := from.Read(ctx, v.query(q, opts))
	if err != nil {
		return RowPage[V]{}, err
	}
	out := RowPage[V]{View: page.View, Rows: make([]Row[V], 0, len(page.Rows)), Token: page.Token, At: page.At, Stale: page.Stale}
	for _, raw := range page.Rows {
		row, err := v.row(raw)
		if err != nil {
			return RowPage[V]{}, err
		}
		out.Rows = append(out.Rows, row)
	}
	return out, nil
}

func (v *View[V]) row(raw RawRow) (Row[V], error) {
	value, err := v.value.Decode(muster.PlainCodec{}, v.place(raw.Key, raw.ContentType), raw.Value)
	if err != nil {
		return Row[V]{}, muster.Errorf(muster.Internal, "view %s: row %q is no row of this build: %v; rebuild the view, or give it a new version", v, raw.Key, err)
	}
	return Row[V]{Key: raw.Key, Value: value, Shard: raw.Shard}, nil
}

func (v *View[V]) all(ctx context.Context, from Reader, q Query, opts []ReadOption) iter.Seq2[Row[V], error] {
	return func(yield func(Row[V], error) bool) {
		q := v.query(q, opts)
		for {
			page, err := from.Read(ctx, q)
			if err != nil {
				yield(Row[V]{}, err)
				return
			}
			for _, raw := range page.Rows {
				row, err := v.row(raw)
				if !yield(row, err) || err != nil {
					return
				}
			}
			if q.Token = page.Token; q.Token == "" {
				return
			}
		}
	}
}

// RowChange is what a watcher of a view sees.
type RowChange[V any] struct {
	Row     Row[V] // of a deleted one the key
	Deleted bool
	Reset   bool              // no row: all rows come anew behind it; forget what was seen before
	At      []muster.Position // up to where the rows were made
}

// Watch calls fn with the rows of a key (see [OnlyKey]), a prefix or a range, all of them without an option, as they are and then as they change, until ctx ends
// or fn gives an error, which it returns. Who is slow sees the latest row, not each one.
func (v *View[V]) Watch(ctx context.Context, from Reader, fn func(RowChange[V]) error, opts ...ReadOption) error {
	return from.Watch(ctx, v.query(Query{}, opts), func(u Update) error {
		change := RowChange[V]{Row: Row[V]{Key: u.Row.Key, Shard: u.Row.Shard}, Deleted: u.Deleted, Reset: u.Reset, At: u.At}
		if !u.Deleted && !u.Reset {
			var err error
			if change.Row, err = v.row(u.Row); err != nil {
				return err
			}
		}
		return fn(change)
	})
}
