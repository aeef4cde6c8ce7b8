package projector

import (
	"context"
	"errors"

	"github.com/seed-3eec0498/muster"
)

// Journal reads journals, committed events only. The service implements it.
type Journal interface {
	// Start gives where a source begins for a definition's start, and the id of its topic. It is asked once per source without a checkpoint.
	Start(ctx context.Context, reading muster.Reading, source Source) (offset int64, err error)
	// Look gives what the broker knows of a source now.
	Look(ctx context.Context, source Source) (Look, error)
	// Open reads sources from the given offsets on. ErrAhead: the journal ends before an offset, or its beginning was cut behind it.
	Open(ctx context.Context, from map[Source]int64) (Feed, error)
}

// Look is what the broker knows of a source.
type Look struct {
	TopicID [16]byte
	Low     int64 // the first offset there is
	High    int64 // the high watermark: one behind the last record
	Stable  int64 // the last stable offset: one behind the last record whose transaction is decided
}

// ErrAhead says that a checkpoint lies outside of what the journal holds.
var ErrAhead = errors.New("projector: the checkpoint is not in the journal")

// ErrRecreated says that a journal's topic was made again since the feed was opened.
var ErrRecreated = errors.New("projector: the journal was made again")

// Feed delivers the events of a shard. One goroutine uses it.
type Feed interface {
	// Next blocks until there is something, ctx ends, or the feed fails for good ([ErrRecreated], [ErrAhead], or an error after which it must be
	// opened again). After the end of ctx it may be called again and has lost nothing. What it gave before is done with when it is called again:
	// events are cloned by who keeps them.
	Next(ctx context.Context) (Delivery, error)
	// Close ends the feed and waits for its goroutines.
	Close()
}

// Delivery is a stretch of some sources, each in log order.
type Delivery struct {
	Items []Item
	Next  map[Source]int64 // where each source that is part of it goes on, also over markers and what is nothing to handle
	High  map[Source]int64 // high watermarks, as of the fetch

	Trimmed map[Source][]Trimmed // marks of trims among it, in log order
}

// Item is one event, or the fault of a record that claims to be one.
type Item struct {
	Source Source
	Event  *muster.Event // of a bad record the position alone
	Bad    error         // not nil: the record is no valid event
}
