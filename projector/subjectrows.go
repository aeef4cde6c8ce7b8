package projector

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/seed-3eec0498/muster"
)

// CauseErased stands in a letter in place of its cause once the subject of its event is erased: what the function wrote into the cause may be theirs.
const CauseErased = "the cause was left out because the subject of the event is erased"

// SubjectRows is what [Store.SubjectRows] found in one shard.
type SubjectRows struct {
	Projection string // name@version
	Generation int
	Shard      int32
	Standby    bool
	Rows       int // that were looked at
	Sealed     int // of them, with a part that is sealed for the subject
	Clear      int // of them, with something of the subject in clear, because it was declared personal after the row was written
}

// SubjectRows looks through all rows of the shards that are claimed here, copies and versions that do not serve too, for parts that are sealed for a
// subject, and, where the codec is a [muster.Discloser], for what lies in clear of it. It tells how many there are and not which: a row's key may say who somebody is. Unimplemented: the store's codec cannot tell.
func (s *Store) SubjectRows(ctx context.Context, subject muster.SubjectRef) ([]SubjectRows, error) {
	attributor, does := s.codec().(muster.Attributor)
	if !does {
		return nil, muster.Errorf(muster.Unimplemented, "%T cannot tell whose data is where", s.codec())
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	s.mu.Lock()
	shards := make([]*storeShard, 0, len(s.shards))
	for _, sh := range s.shards {
		shards = append(shards, sh)
	}
	s.mu.Unlock()
	var all []SubjectRows
	for _, sh := range shards {
		sh.commit.Lock()
		claimed, standby, at := sh.holder != nil, sh.copies.Load(), sh.at()
		sh.commit.Unlock()
		if !claimed {
			continue
		}
		found := SubjectRows{Projection: sh.id.projection, Generation: sh.id.generation, Shard: sh.id.number, Standby: standby}
		if err := s.countSubject(ctx, attributor, sh.view, subject, at, &found); err != nil {
			return nil, sh.read(s, "look through "+sh.id.String(), err)
		}
		all = append(all, found)
	}
	slices.SortFunc(all, func(a, b SubjectRows) int {
		return cmp.Or(cmp.Compare(a.Projection, b.Projection), cmp.Compare(a.Generation, b.Generation), cmp.Compare(a.Shard, b.Shard))
	})
	return all, nil
}

func (s *Store) countSubject(ctx context.Context, codec muster.Attributor, view AnyView, subject muster.SubjectRef, at keyRange, found *SubjectRows) error {
	low, high := at.bounds(kindRow)
	rows, err := s.db.NewIter(&pebble.IterOptions{LowerBound: low, UpperBound: high})
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var refs []muster.SubjectRef
	for rows.First(); rows.Valid() && ctx.Err() == nil; rows.Next() {
		value, err := rows.ValueAndErr()
		if err != nil {
			return err
		}
		row, err := decodeStoredRow(value)
		if err != nil {
			return undecodableRecord(err)
		}
		found.Rows++
		if refs = codec.Subjects(refs[:0], row.payload); slices.Contains(refs, subject) {
			found.Sealed++
		}
		told, err := discloses(codec, view, string(rows.Key()[keyHead:]), row, subject)
		if err != nil {
			return err
		}
		if told {
			found.Clear++
		}
	}
	if err := rows.Error(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return muster.Errorf(muster.CodeOf(err), "the rows were not looked through in time: %v", err)
	}
	return nil
}

// causesErased gives the letters whose events have data of an erased subject, sealed or in clear, and whose causes may tell it.
func (w *worker) causesErased(subject muster.SubjectRef) ([]Letter, error) {
	attributor, does := w.r.config.Codec.(muster.Attributor)
	if !does || len(w.held.progress.letters) == 0 {
		return nil, nil
	}
	stored, err := w.holding.Stored(w.ctx)
	if err != nil {
		return nil, fmt.Errorf("its letters cannot be read: %w", AsStore(err))
	}
	return slices.DeleteFunc(stored.Letters, func(l Letter) bool {
		if l.Cause == "" || l.Cause == CauseErased {
			return true
		}
		return !slices.Contains(attributor.Subjects(nil, l.Event.Payload), subject) && !w.d.letterDiscloses(attributor, &l, subject)
	}), nil
}
