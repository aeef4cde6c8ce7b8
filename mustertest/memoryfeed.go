package mustertest

import (
	"context"
	"errors"
	"slices"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// memoryFeed is used by one goroutine.
type memoryFeed struct {
	journal *MemoryJournal
	order   []projector.Source
	next    map[projector.Source]int64
	ids     map[string][16]byte
	given   []muster.Event // of the delivery before: spoilt when the next one is asked for, so that who kept it is found out
	failed  error          // for good
}

// Open implements [projector.Journal].
func (j *MemoryJournal) Open(ctx context.Context, from map[projector.Source]int64) (projector.Feed, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := errors.Join(ctx.Err(), j.away); err != nil {
		return nil, err
	}
	f := &memoryFeed{journal: j, next: map[projector.Source]int64{}, ids: map[string][16]byte{}}
	for source, offset := range from {
		if s := j.source(source); offset < s.base || offset > s.end() {
			return nil, projector.ErrAhead
		}
		f.order = append(f.order, source)
		f.next[source] = offset
		f.ids[source.Topic] = j.topicID(source.Topic)
	}
	slices.SortFunc(f.order, func(a, b projector.Source) int {
		if a.Topic != b.Topic {
			if a.Topic < b.Topic {
				return -1
			}
			return 1
		}
		return int(a.Partition - b.Partition)
	})
	return f, nil
}

// Next implements [projector.Feed].
func (f *memoryFeed) Next(ctx context.Context) (projector.Delivery, error) {
	for i := range f.given {
		f.given[i] = muster.Event{Meta: muster.Meta{ID: "spoilt", Type: "spoilt", AggregateID: "spoilt"}}
	}
	f.given = nil
	for {
		if err := errors.Join(ctx.Err(), f.failed); err != nil {
			return projector.Delivery{}, err
		}
		d, changed := f.look()
		if f.failed != nil || len(d.Next) > 0 {
			return d, f.failed
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// look takes what there is, or gives the channel that tells of more.
func (f *memoryFeed) look() (projector.Delivery, <-chan struct{}) {
	j := f.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	d := projector.Delivery{}
	for _, source := range f.order {
		s, from := j.source(source), f.next[source]
		switch {
		case j.away != nil:
			f.failed = j.away
		case f.ids[source.Topic] != j.topicID(source.Topic):
			f.failed = projector.ErrRecreated
		case from < s.base || from > s.end():
			f.failed = projector.ErrAhead
		}
		if f.failed != nil {
			return projector.Delivery{}, nil
		}
		records := s.records[from-s.base:]
		if j.most > 0 {
			records = records[:min(j.most, len(records))]
		}
		if len(records) == 0 {
			continue
		}
		if d.Next == nil {
			d.Next, d.High = map[projector.Source]int64{}, map[projector.Source]int64{}
		}
		for i, r := range records {
			switch {
			case r.trim > 0:
				if d.Trimmed == nil {
					d.Trimmed = map[projector.Source][]projector.Trimmed{}
				}
				d.Trimmed[source] = append(d.Trimmed[source], projector.Trimmed{At: from + int64(i), Before: r.trim})
			case r.event != nil:
				f.given = append(f.given, *cloneEvent(r.event))
				d.Items = append(d.Items, projector.Item{Source: source})
			case r.bad != nil:
				f.given = append(f.given, muster.Event{Meta: muster.Meta{Topic: source.Topic, Partition: source.Partition, Offset: from + int64(i)}})
				d.Items = append(d.Items, projector.Item{Source: source, Bad: r.bad})
			}
		}
		f.next[source] = from + int64(len(records))
		d.Next[source], d.High[source] = f.next[source], s.end()
	}
	for i := range d.Items {
		d.Items[i].Event = &f.given[i]
	}
	return d, j.changed
}

// Close implements [projector.Feed].
func (f *memoryFeed) Close() { f.failed = errors.New("the feed is closed") }
