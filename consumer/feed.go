package consumer

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// Feed is the reading of some partitions together. One goroutine uses it; Close may be called by another when that one has left Next.
type Feed struct {
	feeds *Feeds
	taps  []*tap // sorted by source; read-only
	wake  chan struct{}
	turn  int // of the taps, which one is first in the next delivery

	// guarded by Feeds.mu
	failure error
	closed  bool
}

// Portion is what a feed gives of one partition: a part of its log, in order.
type Portion struct {
	Source Source
	Group  *muster.Group
	Events []muster.Event // of a bad record the position alone
	Bad    map[int]error  // by index in Events: what is wrong with records that claim to be events; nil when nothing is
	Next   int64          // where it goes on, also over markers and what is nothing to handle
	High   int64          // the high watermark, as the latest fetch told
	Marks  []TrimmedAt    // of trims of this part, in log order
}

// TrimmedAt is the mark of a trim at an offset: events below Before were removed.
type TrimmedAt struct{ At, Before int64 }

// tap is one partition of a feed.
//
//	given <= offset of the oldest record in the buffer not in hand <= next
type tap struct {
	feed   *Feed
	source Source
	group  *muster.Group

	// guarded by Feeds.mu
	buffer buffer
	hand   int   // of the oldest records in the buffer, how many are in the delivery that is out
	next   int64 // offset to receive next; lower ones are dropped
	given  int64 // where the deliveries are
	high   int64
	full   bool // the buffer went over its bound and has not come down to half since: fetching is paused

	faultSince, lastFault time.Time // of errors of its fetches, see troubledLocked

	// Of the delivery that is out; used again for the next one, by the reader's goroutine alone.
	records []*kgo.Record
	before  []*kgo.Record // of the delivery before, until they are recycled
	events  []muster.Event
	bad     map[int]error
	marks   []TrimmedAt
}

const (
	deliveryRecords = 2000    // of all partitions of a feed together
	deliveryBytes   = 2 << 20 // likewise; one record may exceed it
)

// Next blocks until there is something, ctx ends, or the feed fails for good: [ErrDataLoss], [ErrRecreated], or the end of the [Feeds]. What
// it gave before is done with when it is called again: events, payloads and answers lie in memory that is used again. The texts and the users' headers
// of an event do not.
func (f *Feed) Next(ctx context.Context) ([]Portion, error) {
	idle := time.NewTimer(stallInterval)
	defer idle.Stop()
	for again := stallInterval; ; {
		found, err := f.gather()
		f.recycle()
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			return found.decode(), nil
		}
		select {
		case <-f.wake:
		case <-idle.C:
			f.unstick(ctx)
			again = min(2*again, stallTop)
			idle.Reset(again)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// delivery is what a feed has found, before it is decoded.
type delivery []struct {
	Portion
	tap *tap
}

// gather takes the records of the next delivery, and drops those of the one before.
func (f *Feed) gather() (found delivery, err error) {
	f.feeds.mu.Lock()
	defer f.feeds.mu.Unlock()
	for _, t := range f.taps {
		t.doneLocked()
	}
	left, room := deliveryRecords, deliveryBytes
	for i := range f.taps {
		t := f.taps[(f.turn+i)%len(f.taps)]
		wire := t.takeLocked(left, room)
		next := t.next
		if len(t.records) < t.buffer.records {
			next = behind(t.records, t.given)
		}
		if next == t.given {
			continue
		}
		t.given = next
		left, room = left-len(t.records), room-wire
		found = append(found, struct {
			Portion
			tap *tap
		}{Portion{Source: t.source, Group: t.group, Next: next, High: t.high}, t})
	}
	f.turn++
	if len(found) == 0 {
		err = f.failure
	}
	return found, err
}

// recycle gives the memory of the records of the delivery before back to the client. It is not done under the lock: there are many.
func (f *Feed) recycle() {
	for _, t := range f.taps {
		for _, r := range t.before {
			r.Recycle()
		}
		clear(t.before)
		t.before = t.before[:0]
	}
}

// behind gives the offset behind the last of the records, or otherwise.
func behind(records []*kgo.Record, otherwise int64) int64 {
	if len(records) == 0 {
		return otherwise
	}
	return records[len(records)-1].Offset + 1
}

// takeLocked gives the oldest records, so many at most, and counts them as in hand.
func (t *tap) takeLocked(records, bytes int) (wire int) {
	at := t.buffer.reader()
	for n := min(records, t.buffer.records); t.hand < n && wire < bytes; t.hand++ {
		r := at.peek()
		t.records, wire = append(t.records, r), wire+len(r.Value)
		at.step()
	}
	return wire
}

// doneLocked forgets what is in hand, and lets kgo fetch again where it was paused and there is room.
func (t *tap) doneLocked() {
	t.records, t.before = t.before, t.records
	if t.hand == 0 {
		return
	}
	before := t.buffer.memory
	t.buffer.drop(t.hand)
	t.hand = 0
	f := t.feed.feeds
	if !t.full {
		f.active -= before - t.buffer.memory
		if f.active < roomBytes/2 {
			signal(f.room)
		}
		return
	}
	if t.buffer.memory <= f.config.bufferBytes()/2 && f.taps[t.source] == t {
		t.full = false
		f.active += t.buffer.memory
		f.client.ResumeFetchPartitions(t.partition())
	}
}

// receiveLocked takes in what a fetch brought. Control records only move the place.
func (t *tap) receiveLocked(records []*kgo.Record, high int64) {
	t.high = max(t.high, high)
	kept := records[:0]
	for _, r := range records {
		if r.Offset < t.next {
			continue
		}
		t.next = r.Offset + 1
		if !r.Attrs.IsControl() {
			kept = append(kept, r)
		}
	}
	f := t.feed.feeds
	before := t.buffer.memory
	t.buffer.add(kept)
	if !t.full {
		f.active += t.buffer.memory - before
		if t.buffer.memory >= f.config.bufferBytes() {
			t.full = true
			f.active -= t.buffer.memory
			f.client.PauseFetchPartitions(t.partition())
		}
	}
	signal(t.feed.wake)
}

// emptyLocked gives the memory back.
func (t *tap) emptyLocked() {
	if !t.full {
		t.feed.feeds.active -= t.buffer.memory
	}
	t.buffer, t.hand, t.full = buffer{}, 0, false
}

func (t *tap) partition() map[string][]int32 {
	return map[string][]int32{t.source.Topic: {t.source.Partition}}
}

// decode makes events of the records. It runs on the goroutine that reads the feed.
func (d delivery) decode() []Portion {
	all := make([]Portion, len(d))
	for i := range d {
		t := d[i].tap
		t.events, t.bad, t.marks = t.events[:0], nil, nil
		for _, r := range t.records {
			t.decode(r)
		}
		all[i] = d[i].Portion
		all[i].Events, all[i].Bad, all[i].Marks = t.events, t.bad, t.marks
	}
	return all
}

func (t *tap) decode(r *kgo.Record) {
	t.events = append(t.events, muster.Event{})
	event := &t.events[len(t.events)-1]
	err := kafka.DecodeEventTo(event, r, t.group)
	if stood := standIn(r); stood != nil {
		err = stood
	}
	if err == nil {
		for i := range event.Headers { // functions keep the meta of an event, and with it these
			event.Headers[i].Value = bytes.Clone(event.Headers[i].Value)
		}
		return
	}
	t.events = t.events[:len(t.events)-1]
	at := muster.Position{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
	switch {
	case errors.Is(err, kafka.ErrTombstone): // or a mark of trimming
		mark, err := kafka.DecodeTrimMark(r, t.group)
		if err != nil {
			t.fault(&at, err)
		} else if mark != nil {
			t.marks = append(t.marks, TrimmedAt{r.Offset, mark.Before})
		}
	case errors.Is(err, kafka.ErrForeign):
		f := t.feed.feeds
		f.log.Warn("record in the journal that the toolkit did not write; passed over", "position", at.String())
		if f.config.Foreign != nil {
			f.config.Foreign(t.group.Name(), at)
		}
	default:
		t.fault(&at, err)
	}
}

// fault puts a record that cannot be read among the events.
func (t *tap) fault(at *muster.Position, err error) {
	if t.bad == nil {
		t.bad = map[int]error{}
	}
	t.bad[len(t.events)] = err
	t.events = append(t.events, muster.Event{Meta: muster.Meta{Group: t.group.Name(), Topic: at.Topic, Partition: at.Partition, Offset: at.Offset}})
}

// Close ends the feed. Its partitions may be opened again at once.
func (f *Feed) Close() {
	f.feeds.mu.Lock()
	defer f.feeds.mu.Unlock()
	if f.closed {
		return
	}
	f.closed = true
	f.failLocked(muster.ErrShuttingDown)
	for _, t := range f.taps {
		delete(f.feeds.taken, t.source)
	}
	f.feeds.wantLocked(feedChange{taps: f.taps})
}

// failLocked ends what Next gives; the first reason counts.
func (f *Feed) failLocked(err error) {
	if f.failure == nil {
		f.failure = err
	}
	signal(f.wake)
}

func compareSources(a, b Source) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}
