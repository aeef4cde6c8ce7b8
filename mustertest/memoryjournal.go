package mustertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// MemoryJournal is a [projector.Journal] in memory, with the ways of a real one: transaction markers take offsets, a delivery may end inside a
// command, records may claim to be events and be none. It is safe for concurrent use.
type MemoryJournal struct {
	mu        sync.Mutex // guards what follows
	sources   map[projector.Source]*memorySource
	ids       map[string]byte   // by topic: how often it was made
	revisions map[string]uint64 // by group and aggregate
	most      int               // records in a delivery; 0 means no bound
	away      error             // what every call fails with
	changed   chan struct{}
}

// memorySource belongs to its MemoryJournal's mutex. records[i] has offset base+i.
type memorySource struct {
	base    int64
	records []memoryRecord
}

// memoryRecord is an event, a bad record, or, with neither, a marker.
type memoryRecord struct {
	event *muster.Event
	bad   error
	trim  int64 // of the mark of a trim: the offset below which events were removed
	at    time.Time
}

var _ projector.Journal = (*MemoryJournal)(nil)

// NewMemoryJournal makes an empty one. Every topic and partition is there from the beginning.
func NewMemoryJournal() *MemoryJournal {
	return &MemoryJournal{
		sources: map[projector.Source]*memorySource{}, ids: map[string]byte{}, revisions: map[string]uint64{}, changed: make(chan struct{}),
	}
}

// NewEvent makes an event as an owner would write it, for [MemoryJournal.Append]. Append numbers it.
func NewEvent[E any](t *muster.EventType[E], aggregateID string, e E) muster.Event {
	payload, contentType, err := muster.PlainCodec{}.Encode(nil, muster.Place{Purpose: muster.PurposeEvent, Group: t.Group().Name(), Type: t.Name(), AggregateID: aggregateID}, e)
	if err != nil {
		payload, contentType = []byte(err.Error()), muster.ContentRaw
	}
	return muster.Event{Payload: payload, Meta: muster.Meta{Type: t.Name(), Group: t.Group().Name(), AggregateID: aggregateID, ContentType: contentType}}
}

// Append writes the events of one command into a partition of a journal, and the marker of its transaction behind them. It fills in what an owner
// would: id, revision, index and count, time; what is set stays. It gives the position of the last one.
func (j *MemoryJournal) Append(source projector.Source, events ...muster.Event) muster.Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.source(source)
	command := fmt.Sprintf("%s@%d#%d", source, s.end(), j.ids[source.Topic])
	var last muster.Position
	for i := range events {
		ev := events[i]
		aggregate := ev.Group + "/" + ev.AggregateID
		j.revisions[aggregate]++
		ev.Topic, ev.Partition, ev.Offset = source.Topic, source.Partition, s.end()
		if ev.Count == 0 {
			ev.Index, ev.Count = i, len(events)
		}
		if ev.CausationID == "" {
			ev.CausationID, ev.CorrelationID = command, command
		}
		if ev.ID == "" {
			ev.ID = fmt.Sprintf("%s/%d", ev.CausationID, ev.Index)
		}
		if ev.Revision == 0 {
			ev.Revision = j.revisions[aggregate]
		}
		if ev.Time.IsZero() {
			ev.Time = time.Now().UTC().Truncate(time.Microsecond)
		}
		last = ev.Position()
		s.records = append(s.records, memoryRecord{event: cloneEvent(&ev), at: ev.Time})
	}
	s.records = append(s.records, memoryRecord{at: time.Now()})
	j.changeLocked()
	return last
}

// Markers writes n transaction markers and nothing else.
func (j *MemoryJournal) Markers(source projector.Source, n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.source(source)
	s.records = append(s.records, make([]memoryRecord, n)...)
	j.changeLocked()
}

// Bad writes a record that claims to be an event and is none, and gives its position.
func (j *MemoryJournal) Bad(source projector.Source) muster.Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.source(source)
	at := muster.Position{Topic: source.Topic, Partition: source.Partition, Offset: s.end()}
	s.records = append(s.records, memoryRecord{bad: errors.New("header ce_id is missing")})
	j.changeLocked()
	return at
}

// Trim removes the events of a source below an offset, as an owner's trim does once the log is compacted, and leaves its mark.
func (j *MemoryJournal) Trim(source projector.Source, before int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.source(source)
	for i := range s.records {
		if s.base+int64(i) < before {
			s.records[i].event = nil
		}
	}
	s.records = append(s.records, memoryRecord{trim: before}, memoryRecord{})
	j.changeLocked()
}

// Recreate empties a topic and gives it another id, as if it had been deleted and made again.
func (j *MemoryJournal) Recreate(topic string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ids[topic]++
	for source, s := range j.sources {
		if source.Topic == topic {
			s.base, s.records = 0, nil
		}
	}
	j.changeLocked()
}

// Cut removes the records below an offset, as retention would.
func (j *MemoryJournal) Cut(source projector.Source, low int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.source(source)
	if n := min(low-s.base, int64(len(s.records))); n > 0 {
		s.records, s.base = slices.Clone(s.records[n:]), s.base+n
	}
	j.changeLocked()
}

// Truncate removes the records from an offset on, as the loss of unsynced data on all brokers would.
func (j *MemoryJournal) Truncate(source projector.Source, end int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.source(source)
	s.records = s.records[:max(0, min(end-s.base, int64(len(s.records))))]
	j.changeLocked()
}

// DeliverAtMost bounds the records of a delivery per source, so that commands are torn; 0 means no bound.
func (j *MemoryJournal) DeliverAtMost(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.most = n
}

// SetAway makes every call fail with err until it is called with nil. A feed that failed so must be opened again.
func (j *MemoryJournal) SetAway(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.away = err
	j.changeLocked()
}

// Events gives what lies in a source, in log order.
func (j *MemoryJournal) Events(source projector.Source) []muster.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []muster.Event
	for _, r := range j.source(source).records {
		if r.event != nil {
			all = append(all, *cloneEvent(r.event))
		}
	}
	return all
}

// End gives the offset of the next record.
func (j *MemoryJournal) End(source projector.Source) int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.source(source).end()
}

// Start implements [projector.Journal].
func (j *MemoryJournal) Start(ctx context.Context, reading muster.Reading, source projector.Source) (int64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := errors.Join(ctx.Err(), j.away); err != nil {
		return 0, err
	}
	s := j.source(source)
	for _, p := range reading.After {
		if p.Topic == source.Topic && p.Partition == source.Partition {
			return p.Offset + 1, nil
		}
	}
	switch reading.Start {
	case muster.StartLatest:
		return s.end(), nil
	case muster.StartTime:
		for i, r := range s.records {
			if r.event != nil && !r.at.Before(reading.Time) {
				return s.base + int64(i), nil
			}
		}
		return s.end(), nil
	default:
		return s.base, nil
	}
}

// Look implements [projector.Journal].
func (j *MemoryJournal) Look(ctx context.Context, source projector.Source) (projector.Look, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := errors.Join(ctx.Err(), j.away); err != nil {
		return projector.Look{}, err
	}
	s := j.source(source)
	return projector.Look{TopicID: j.topicID(source.Topic), Low: s.base, High: s.end(), Stable: s.end()}, nil
}

func (s *memorySource) end() int64 { return s.base + int64(len(s.records)) }

// topicID is never zero.
func (j *MemoryJournal) topicID(topic string) [16]byte { return [16]byte{1, j.ids[topic]} }

func (j *MemoryJournal) source(source projector.Source) *memorySource {
	s := j.sources[source]
	if s == nil {
		s = &memorySource{}
		j.sources[source] = s
	}
	return s
}

func (j *MemoryJournal) changeLocked() {
	close(j.changed)
	j.changed = make(chan struct{})
}

func cloneEvent(ev *muster.Event) *muster.Event {
	c := *ev
	c.Payload, c.Headers = slices.Clone(ev.Payload), slices.Clone(ev.Headers)
	for i := range c.Headers {
		c.Headers[i].Value = slices.Clone(c.Headers[i].Value)
	}
	return &c
}
