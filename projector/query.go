package projector

import (
	"context"

	"github.com/seed-3eec0498/muster"
)

// Reader answers queries of views, erased; [View] has the typed methods over it. A service is one for the views it runs and, through their
// instances, for those of other instances; the query client is one over HTTP.
type Reader interface {
	// Read gives rows. Errors are those of muster: NotFound for an unknown view, Unavailable where no instance serves it now, InvalidArgument for
	// a bad token or option, DeadlineExceeded where AtLeast was not reached in time.
	Read(ctx context.Context, q Query) (Page, error)
	// Watch calls fn with each row as it is and then with each change of it, until ctx ends or fn gives an error, which it returns. A
	// watcher that is too slow gets the latest value, not each one.
	Watch(ctx context.Context, q Query, fn func(Update) error) error
}

// Query says which rows of which view are read. Key, or Index and Key, or the range given by Prefix, From and To.
type Query struct {
	View    string
	Version int    // 0: the version that serves
	Key     string // one row
	Counter string // one counter instead of rows
	Index   string // rows whose index of that name has Key (exact) or begins with Prefix
	Prefix  string
	From    string // first key
	To      string // the key behind the last one; empty: no bound
	Reverse bool
	Limit   int    // 0 means 100; at most 1,000
	Token   string // of the page before

	// Shards reads these shards alone: Unavailable unless this instance serves all of them. Empty: every shard there is here. Whoever asks several
	// instances says it, so that no row is missed or seen twice while shards move.
	Shards []int32

	// AtLeast are positions that must have been applied before the rows are read.
	AtLeast []muster.Position
	// Stale allows rows of a copy that is not the one that serves, as from a standby or an instance that has lost the partition.
	Stale bool
}

// Page is what a query found, all from one snapshot per shard.
type Page struct {
	View       string // name@version that answered
	Generation int    // of that version, all rows are from this one; below 0: not known
	Rows       []RawRow
	Token      string            // for the next page; empty: that was all
	At         []muster.Position // up to where the rows were made, per source
	Counter    int64
	Stale      bool // answered by a copy
}

// RawRow is a row in the form it is stored in.
type RawRow struct {
	Key         string
	Value       []byte // opened; protobuf or JSON, as ContentType says
	ContentType string
	Shard       int32
	Order       string // of a page that follows an index: what its rows are ordered by, before the shard; else empty, and that is the key
}

// Update is one change a watcher sees.
type Update struct {
	Row     RawRow
	Deleted bool
	At      []muster.Position
	Reset   bool // no row: all rows come anew behind it, as after a switch of version; forget what was seen before
}
