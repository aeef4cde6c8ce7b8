package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/seed-3eec0498/muster"
)

// The index of subjects. A row says that an aggregate has data of a subject, in its events or in its state; it is written in the batch of the state
// that is the first to say so, and never removed as long as the partition is kept, since the events are not removed either. The value is a version.
//
//	subjects row    key: ... | kind | subject_ref 16 | aggregate id     value: version 1
//	erased row      key: ... | kind | id of an erasure                   value: version 1
//
// An erased row says that an erasure was carried out on the rows of this partition in this store. It goes with them: rows that come from a snapshot or
// from the journal again are asked about again.
const (
	subjectOne row = 1
	erasedOne  row = 1
)

func (p prefix) subject(ref *muster.SubjectRef, id string) []byte {
	b := make([]byte, 0, headBytes+subjectBytes+len(id))
	b = append(b, p[:]...)
	b = append(b, byte(kindSubjects))
	b = append(b, ref[:]...)
	return append(b, id...)
}

// unindexed gives the subjects of a state that have no row yet.
func unindexed(s *muster.StoredState) []muster.SubjectRef {
	return s.Subjects[len(s.Subjects)-min(s.Unindexed, len(s.Subjects)):]
}

// Aggregates gives the ids of the aggregates of an open partition that have, or had, data of a subject, in order. Errors are those of Load.
func (g *GroupStore) Aggregates(partition int32, subject muster.SubjectRef) ([]string, error) {
	var ids []string
	err := g.rest(partition, kindSubjects, string(subject[:]), func(id string) { ids = append(ids, id) })
	return ids, err
}

// Erased gives the erasures that [GroupStore.Redact] was told of, in the order of their ids. Errors are those of Load.
func (g *GroupStore) Erased(partition int32) ([]string, error) {
	var ids []string
	err := g.rest(partition, kindErased, "", func(id string) { ids = append(ids, id) })
	return ids, err
}

// rest calls fn with what follows begin in the keys of a kind.
func (g *GroupStore) rest(partition int32, k kind, begin string, fn func(string)) error {
	p, err := g.begin(partition)
	if err != nil {
		return err
	}
	defer g.s.disk.End()
	low := p.prefix.key(k, begin)
	high := p.prefix.key(k+1, "")
	rows, err := g.s.db.NewIter(&pebble.IterOptions{LowerBound: low, UpperBound: high})
	if err != nil {
		return g.s.faultOn("read the subjects of ", g, partition, err)
	}
	for rows.First(); rows.Valid() && string(rows.Key()[:len(low)]) == string(low); rows.Next() {
		fn(string(rows.Key()[len(low):]))
	}
	return g.s.faultOn("read the subjects of ", g, partition, errors.Join(rows.Error(), rows.Close()))
}

// Redact replaces states by what is left of them after erasures, and notes these erasures, as one atomic batch that is on disk when it returns. A state
// that is not at the revision that is stored is [ErrOrder], and nothing is changed: something was decided meanwhile. Other errors are those of Store.
func (g *GroupStore) Redact(ctx context.Context, partition int32, states []muster.StoredState, erasures []string) error {
	p, err := g.beginWrite(partition)
	if err != nil {
		return err
	}
	defer g.endWrite(p)
	if err := g.s.disk.Room(ctx, 0); err != nil {
		return err
	}
	for i := range states {
		stored, err := g.load(p, states[i].AggregateID)
		if err != nil {
			return err
		}
		if stored.Revision != states[i].Revision || stored.Offset != states[i].Offset {
			return fmt.Errorf("%s: a state to redact is at revision %d, the stored one at %d: %w", g.title(partition), states[i].Revision, stored.Revision, ErrOrder)
		}
	}
	batch := g.s.db.NewBatch()
	defer func() { _ = batch.Close() }()
	for i := range states {
		p.putState(batch, &states[i])
	}
	for _, id := range slices.Sorted(slices.Values(erasures)) {
		_ = batch.Set(p.prefix.key(kindErased, id), []byte{erasedOne}, nil)
	}
	bytes := int64(batch.Len())
	if err := batch.Commit(pebble.Sync); err != nil {
		return g.s.fault("redact "+g.title(partition), err)
	}
	if err := g.s.Failed(); err != nil {
		return err
	}
	g.s.disk.Wrote(bytes)
	return nil
}
