package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"

	"github.com/seed-3eec0498/muster"
)

// A base is states from the snapshots topic, under a partition that has nothing. It is loaded in pieces; until it is complete the
// checkpoint stays at 0, so that whoever is interrupted begins again:
//
//	Clear, LoadSnapshots, LoadSnapshots ... EndSnapshots, then the journal from EndSnapshots's offset on
//
// States of a base may be ahead of the checkpoint: an event at or before its state's offset is passed over when it is read.

// The row that says how far snapshots are complete:
//
//	0             1
//	+-------------+--------------------+
//	| version 1   | journal i64 BE     |
const coveredOne row = 1

func appendCovered(dst []byte, journal int64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, coveredOne), uint64(journal))
}

func decodeCovered(b []byte) (int64, error) {
	if err := checkRow("snapshots", b, 9, coveredOne); err != nil {
		return 0, err
	}
	journal := binary.BigEndian.Uint64(b[1:])
	if journal > math.MaxInt64 {
		return 0, errors.New("snapshots record with a negative offset")
	}
	return int64(journal), nil
}

// Clear drops the rows of an open partition without a word: what is left of a base that was not completed. Its checkpoint is 0 afterwards.
func (g *GroupStore) Clear(partition int32) error {
	return g.reset(partition, "")
}

// LoadSnapshots puts states into a partition at checkpoint 0, over those that are there. It is on disk when LoadSnapshots returns. Errors are those
// of Ingest.
func (g *GroupStore) LoadSnapshots(ctx context.Context, partition int32, states []muster.StoredState) error {
	c := &muster.Changes{Partition: partition, States: states}
	return g.ingest(ctx, c, func(d *draft, table *sstable.Writer) error {
		if d.meta.journal != 0 {
			return fmt.Errorf("snapshots are for an empty partition, this one is at journal offset %d; clear it first: %w", d.meta.journal, ErrOrder)
		}
		return d.p.writeRows(table, d, c, d.meta.next, nil)
	})
}

// EndSnapshots completes a base: the journal is to be read from next, and the snapshots topic covers it up to covered.
func (g *GroupStore) EndSnapshots(partition int32, next, covered int64) error {
	return g.amend(partition, func(p *extent) error {
		if p.meta.journal != 0 || next < 0 || covered < 0 {
			return fmt.Errorf("snapshots end at journal offset %d, %d covered, the partition is at %d already: %w", next, covered, p.meta.journal, ErrOrder)
		}
		p.meta.journal, p.covered = next, covered
		return nil
	})
}

// SetCovered notes that the snapshots topic has every state whose last event lies before a journal offset.
func (g *GroupStore) SetCovered(partition int32, journal int64) error {
	return g.amend(partition, func(p *extent) error {
		p.covered = max(p.covered, journal)
		return nil
	})
}

// Covered gives what SetCovered or EndSnapshots noted, 0 when nothing did.
func (g *GroupStore) Covered(partition int32) (int64, error) {
	p, err := g.held(partition)
	if err != nil {
		return 0, err
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.covered, nil
}

// extent is the part of a partition's memory that amend changes.
type extent struct {
	meta    meta
	covered int64
}

// amend changes meta row and snapshots row together.
func (g *GroupStore) amend(number int32, change func(*extent) error) error {
	p, err := g.beginWrite(number)
	if err != nil {
		return err
	}
	defer g.endWrite(p)
	to := extent{p.meta, p.covered}
	if err := change(&to); err != nil {
		return fmt.Errorf("%s: %w", g.title(number), err)
	}
	batch := g.s.db.NewBatch()
	defer func() { _ = batch.Close() }()
	_ = batch.Set(p.prefix.key(kindMeta, ""), appendMeta(nil, &to.meta), nil)
	_ = batch.Set(p.prefix.key(kindSnapshots, ""), appendCovered(nil, to.covered), nil)
	if err := batch.Commit(pebble.Sync); err != nil {
		return g.s.fault("store "+g.title(number), err)
	}
	if err := g.s.Failed(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.meta, p.covered = to.meta, to.covered
	return nil
}

// readCovered reads the snapshots row of a partition that is being opened.
func (g *GroupStore) readCovered(p *partition) error {
	value, closer, err := g.s.db.Get(p.prefix.key(kindSnapshots, ""))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if p.covered, err = decodeCovered(value); err != nil {
		err = undecodable(err)
	}
	return errors.Join(err, closer.Close())
}
