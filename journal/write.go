package journal

import (
	"context"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/seed-3eec0498/muster"
)

// Store writes all changes as one atomic Pebble batch: states, answers and checkpoint of a partition always agree, after any crash. When
// it returns nil the operating system has the batch: it survives the end of the process; a power cut may lose the newest batches, in
// order. Several calls may run at the same time; those on the same partition come one after another. A state with revision 0 is removed.
//
// It waits while too much is still to be written out, until ctx ends. Errors, after which nothing of the changes is seen: [ErrOrder] for
// changes that would move a partition back; [muster.ErrNotHeld]; [ErrFull], which passes by itself unless [Store.Failed]; [ErrStore];
// [ErrCorrupt]; [ErrClosed].
func (g *GroupStore) Store(ctx context.Context, changes []muster.Changes) error {
	began := g.s.cfg.now()()
	drafts, err := g.draft(changes)
	if err != nil || len(drafts) == 0 {
		return err
	}
	if err := g.s.begin(); err != nil {
		return err
	}
	defer g.s.disk.End()
	for _, d := range drafts { // in the order of their numbers, so that two calls cannot wait for each other
		d.p.storing.Lock()
		defer d.p.storing.Unlock()
		if d.p.gone {
			return g.notHeld(d.p.number)
		}
	}
	if err := g.s.disk.Room(ctx, 0); err != nil {
		return err
	}
	batch := g.s.db.NewBatchWithSize(sizeOf(changes))
	defer func() { _ = batch.Close() }()
	for _, d := range drafts {
		if err := g.write(batch, d); err != nil {
			return err
		}
	}
	bytes := batch.Len()
	if err := batch.Commit(pebble.Sync); err != nil { // the guard makes this cheap
		return g.s.fault("store "+g.name, err)
	}
	if err := g.s.Failed(); err != nil {
		return err
	}
	g.s.disk.Wrote(int64(bytes))
	done := Stored{Group: g.name, Partitions: len(drafts), Bytes: bytes}
	for _, d := range drafts {
		d.settle()
		for _, c := range d.changes {
			done.States += len(c.States)
			done.Answers += len(c.Answers)
		}
	}
	done.Took = g.s.cfg.now()().Sub(began)
	g.s.cfg.Observe.stored(done)
	return nil
}

// draft is what one partition will be once its changes are stored.
type draft struct {
	p       *partition
	changes []*muster.Changes // in the order they came
	meta    meta
	evict   int     // oldest records of answers to go
	times   []int64 // the time stored before, then that of each record of answers, Unix microseconds; never going back
}

// draft sorts changes by partition.
func (g *GroupStore) draft(changes []muster.Changes) ([]*draft, error) {
	drafts := make([]*draft, 0, len(changes))
	for i := range changes {
		p, err := g.held(changes[i].Partition)
		if err != nil {
			return nil, err
		}
		at, there := slices.BinarySearchFunc(drafts, p.number, func(d *draft, n int32) int { return int(d.p.number) - int(n) })
		if !there {
			drafts = slices.Insert(drafts, at, &draft{p: p})
		}
		drafts[at].changes = append(drafts[at].changes, &changes[i])
	}
	return drafts, nil
}

// write puts everything of one partition into the batch. The caller holds storing.
func (g *GroupStore) write(batch *pebble.Batch, d *draft) error {
	p := d.p
	d.meta = p.meta
	d.times = append(d.times, p.meta.time)
	extra := 0
	for _, c := range d.changes {
		if err := check(&d.meta, c); err != nil {
			return fmt.Errorf("%s: %w", g.title(p.number), err)
		}
		for i := range c.States {
			p.putState(batch, &c.States[i])
		}
		d.meta.follow(c)
		for answers := range records(c.Answers) {
			at := d.timeOf(answers)
			p.scratch = appendAnswers(p.scratch[:0], at, answers)
			_ = batch.Set(p.prefix.answers(d.meta.next), p.scratch, nil)
			d.meta.next++
		}
		extra += len(c.Answers)
	}
	d.evict = p.window.excess(extra, p.cfg.ids(), d.meta.time-p.cfg.window())
	evict(batch, p.prefix, d.meta.first, d.evict)
	d.meta.first += uint64(d.evict)
	p.scratch = appendMeta(p.scratch[:0], &d.meta)
	_ = batch.Set(p.prefix.key(kindMeta, ""), p.scratch, nil)
	if cap(p.scratch) > maxScratch {
		p.scratch = nil
	}
	return nil
}

// timeOf gives the time of the next record of answers: that of its last answer, so that a record of a long stretch of the journal is
// dropped when its own time has come. It never goes back.
func (d *draft) timeOf(answers []muster.Remembered) int64 {
	last := d.times[len(d.times)-1]
	at := max(last, min(micros(answers[len(answers)-1].Time, d.meta.time), d.meta.time))
	d.times = append(d.times, at)
	return at
}

func (p *partition) putState(batch *pebble.Batch, s *muster.StoredState) {
	if s.Revision == 0 {
		_ = batch.Delete(p.prefix.key(kindState, s.AggregateID), nil)
		return
	}
	op := batch.SetDeferred(headBytes+len(s.AggregateID), stateSize(s))
	copy(op.Key, p.prefix[:])
	op.Key[prefixBytes] = byte(kindState)
	copy(op.Key[headBytes:], s.AggregateID)
	putState(op.Value, s)
	_ = op.Finish()
	for _, ref := range unindexed(s) {
		_ = batch.Set(p.prefix.subject(&ref, s.AggregateID), []byte{subjectOne}, nil)
	}
}

// evict deletes n records of answers. After a quiet day there may be many at once: one tombstone over all of them then.
func evict(batch *pebble.Batch, p prefix, first uint64, n int) {
	if n > 16 {
		_ = batch.DeleteRange(p.answers(first), p.answers(first+uint64(n)), nil)
		return
	}
	for i := range n {
		_ = batch.Delete(p.answers(first+uint64(i)), nil)
	}
}

// settle makes memory agree with what was stored. The caller holds storing.
func (d *draft) settle() {
	p := d.p
	p.mu.Lock()
	defer p.mu.Unlock()
	p.meta = d.meta
	p.window.drop(d.evict)
	times := d.times[1:]
	for _, c := range d.changes {
		for answers := range records(c.Answers) {
			for i := range answers {
				p.window.add(p.window.splitString(answers[i].CommandID))
			}
			p.window.seal(times[0])
			times = times[1:]
		}
	}
}

// follow moves the meta row behind changes.
func (m *meta) follow(c *muster.Changes) {
	m.journal = c.Next
	m.time = max(m.time, micros(c.Time, m.time))
	if c.LastEvent != "" {
		m.lastEvent, m.lastAt = c.LastEvent, c.LastAt
	}
}

// check refuses changes that cannot follow what is stored.
func check(m *meta, c *muster.Changes) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%s; recover the partition from its checkpoint: %w", fmt.Sprintf(format, args...), ErrOrder)
	}
	switch {
	case c.Next < m.journal:
		return refuse("the changes end at journal offset %d, the store is at %d already", c.Next, m.journal)
	case c.LastEvent != "" && (c.LastAt < 0 || c.LastAt >= c.Next):
		return refuse("the last event lies at offset %d, the changes end at %d", c.LastAt, c.Next)
	case len(c.LastEvent) > maxEventBytes:
		return refuse("the id of the last event has %d bytes, at most %d are stored", len(c.LastEvent), maxEventBytes)
	}
	for i := range c.States {
		if s := &c.States[i]; s.Revision != 0 && (s.Offset < 0 || s.Offset >= c.Next) {
			return refuse("a state at revision %d lies at offset %d, the changes end at %d", s.Revision, s.Offset, c.Next)
		}
	}
	for i := range c.Answers {
		if n := len(c.Answers[i].CommandID); n == 0 || n > maxIDBytes {
			return refuse("a command id has %d bytes, 1 to %d can be remembered", n, maxIDBytes)
		}
	}
	return nil
}

// sizeOf estimates the bytes of a batch with all changes.
func sizeOf(changes []muster.Changes) int {
	size := 0
	for i := range changes {
		c := &changes[i]
		for j := range c.States {
			size += headBytes + 8 + len(c.States[j].AggregateID) + stateSize(&c.States[j])
		}
		size += answersSize(c.Answers) + 256
	}
	return size
}
