package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/disk"
)

// ingestDir is where tables are made, beneath the state directory. What lies there when the store is opened was never part of it.
const ingestDir = "ingest"

// Ingest is Store for the changes of a long stretch of the journal: they are written as one sorted table that Pebble takes in as it is, past
// log and write buffer. The table holds the checkpoint, too, so that states, answers and offset of the partition agree after any crash, and
// it is on disk when Ingest returns. The rows are those that Store would have written.
//
// A disk without room is [ErrFull] and does no harm, however full it is: nothing of the table is seen, and what was written of it is
// removed. The other errors are those of Store.
func (g *GroupStore) Ingest(ctx context.Context, c muster.Changes) error {
	return g.ingest(ctx, &c, func(d *draft, table *sstable.Writer) error {
		return d.p.writeTable(table, d, &c)
	})
}

// ingest makes a table of what write puts into it and takes it in. The partition's memory follows when the table is in.
func (g *GroupStore) ingest(ctx context.Context, c *muster.Changes, write func(*draft, *sstable.Writer) error) error {
	began := g.s.cfg.now()()
	p, err := g.beginWrite(c.Partition)
	if err != nil {
		return err
	}
	defer g.endWrite(p)
	size := sizeOf([]muster.Changes{*c})
	if err := g.s.disk.Room(ctx, size); err != nil {
		return err
	}
	d := &draft{p: p, changes: []*muster.Changes{c}, meta: p.meta, times: []int64{p.meta.time}}
	written, err := g.s.table(ctx, func(table *sstable.Writer) error { return write(d, table) })
	if err != nil {
		return g.ingestFault(c.Partition, err)
	}
	g.s.disk.Wrote(max(written, g.s.cfg.writeBuffer())) // so that the next one looks whether compaction keeps up
	d.settle()
	g.s.cfg.Observe.stored(Stored{
		Group: g.name, Partitions: 1, States: len(c.States), Answers: len(c.Answers), Bytes: int(written), Took: g.s.cfg.now()().Sub(began),
	})
	return nil
}

// writeTable plans like write and writes the rows in the order of their keys: meta, states, answers.
func (p *partition) writeTable(table *sstable.Writer, d *draft, c *muster.Changes) error {
	if err := check(&d.meta, c); err != nil {
		return err
	}
	d.meta.follow(c)
	first := d.meta.next
	var times []int64
	for answers := range records(c.Answers) {
		times = append(times, d.timeOf(answers))
		d.meta.next++
	}
	return p.writeRows(table, d, c, first, times)
}

// writeRows writes the rows of a table whose meta row is planned.
func (p *partition) writeRows(table *sstable.Writer, d *draft, c *muster.Changes, first uint64, times []int64) error {
	d.evict = p.window.excess(len(c.Answers), p.cfg.ids(), d.meta.time-p.cfg.window())
	oldest := d.meta.first
	d.meta.first += uint64(d.evict)
	if err := table.Set(p.prefix.key(kindMeta, ""), appendMeta(nil, &d.meta)); err != nil {
		return err
	}
	states := c.States
	byID := func(a, b muster.StoredState) int { return strings.Compare(a.AggregateID, b.AggregateID) }
	if !slices.IsSortedFunc(states, byID) {
		states = slices.SortedFunc(slices.Values(states), byID)
	}
	var value []byte
	for i := range states {
		key := p.prefix.key(kindState, states[i].AggregateID)
		if states[i].Revision == 0 {
			if err := table.Delete(key); err != nil {
				return err
			}
			continue
		}
		value = slices.Grow(value[:0], stateSize(&states[i]))[:stateSize(&states[i])]
		putState(value, &states[i])
		if err := table.Set(key, value); err != nil {
			return err
		}
	}
	if d.evict > 0 {
		if err := table.DeleteRange(p.prefix.answers(oldest), p.prefix.answers(d.meta.first)); err != nil {
			return err
		}
	}
	n := 0
	for answers := range records(c.Answers) {
		value = appendAnswers(value[:0], times[n], answers)
		if err := table.Set(p.prefix.answers(first+uint64(n)), value); err != nil {
			return err
		}
		n++
	}
	return p.writeSubjects(table, states)
}

// writeSubjects writes the rows of the index, which lie behind all others.
func (p *partition) writeSubjects(table *sstable.Writer, states []muster.StoredState) error {
	var keys [][]byte
	for i := range states {
		for _, ref := range unindexed(&states[i]) {
			keys = append(keys, p.prefix.subject(&ref, states[i].AggregateID))
		}
	}
	slices.SortFunc(keys, bytes.Compare)
	for _, key := range slices.CompactFunc(keys, bytes.Equal) {
		if err := table.Set(key, []byte{subjectOne}); err != nil {
			return err
		}
	}
	return nil
}

// table makes a table and takes it in. It is made through the bare file system: what fails there is an error like any other, and no end
// of the store.
func (s *Store) table(ctx context.Context, write func(*sstable.Writer) error) (size int64, err error) {
	name := s.files.PathJoin(s.ingestDir(), strconv.FormatInt(s.made.Add(1), 10)+".sst")
	file, err := s.files.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return 0, err
	}
	defer func() { _ = s.files.Remove(name) }() // taken in, it has another name
	table := sstable.NewWriter(objstorageprovider.NewFileWritable(file), s.disk.Tables)
	err = write(table)
	if closing := table.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return 0, err
	}
	if info, err := s.files.Stat(name); err == nil {
		size = info.Size()
	}
	if err := s.root(ctx); err != nil {
		return 0, err
	}
	// Whatever the table is based on must not be lost before it. Pebble orders what overlaps, and the log's rows of this partition do: each
	// batch has its meta row.
	if err := s.db.Ingest(ctx, []string{name}); err != nil {
		return 0, err
	}
	return size, s.Failed()
}

// root writes out, once, what every table is based on: the store's format and the numbers of the groups, which lie in the log. A power cut
// that took them and left a table would leave rows nobody can tell whose they are.
func (s *Store) root(ctx context.Context) error {
	if s.rooted.Load() {
		return nil
	}
	flushed, err := s.db.AsyncFlush()
	if err != nil {
		return err
	}
	for {
		steps := s.disk.Steps()
		if t := s.disk.Passing(); t != nil {
			return t
		}
		if err := s.disk.Err(); err != nil {
			return err
		}
		select {
		case <-flushed:
			s.rooted.Store(true)
			return s.Failed()
		case <-steps: // a flush has ended, or failed and is repeated
		case <-s.disk.Closing():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Store) ingestDir() string { return s.files.PathJoin(s.cfg.dir(), ingestDir) }

// emptyIngest removes what a process before left half made.
func (s *Store) emptyIngest() error {
	dir := s.ingestDir()
	names, err := s.files.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return s.files.MkdirAll(dir, 0o700)
	}
	for _, name := range names {
		err = errors.Join(err, s.files.Remove(s.files.PathJoin(dir, name)))
	}
	return err
}

// ingestFault sorts the errors of a table.
func (g *GroupStore) ingestFault(partition int32, err error) error {
	if f := g.s.Failed(); f != nil {
		return f
	}
	doing := "take in a table for " + g.title(partition)
	switch {
	case errors.Is(err, ErrOrder):
		return fmt.Errorf("%s: %w", g.title(partition), err)
	case errors.Is(err, ErrFull), errors.Is(err, ErrStore), errors.Is(err, ErrClosed):
		return err
	case disk.IsFull(err):
		return g.s.newFault(ErrFull, doing, err, words.NextWait)
	case errors.Is(err, pebble.ErrClosed):
		return g.s.newFault(ErrClosed, doing, nil, words.NextClosed)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", doing, err)
	}
	return g.s.fault(doing, err)
}
