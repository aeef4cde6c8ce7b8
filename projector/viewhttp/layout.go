package viewhttp

import (
	"context"
	"slices"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// Directory knows where views are. A service is one.
type Directory interface {
	// Layout gives how a view lies now; version 0 is the one that serves. With fresh it looks again, and else may give what it has looked up a
	// moment ago. NotFound: there is no such view.
	Layout(ctx context.Context, view string, version int, fresh bool) (Layout, error)
}

// Layout says which shards a view has, where they are, and what goes where.
type Layout struct {
	Version int                            // the one that was asked for, or that serves
	Shards  []int32                        // all of them
	Holders map[int32]projector.Instance   // of the shards that somebody holds
	Copies  map[int32][]projector.Instance // instances that keep a copy of a shard: they answer where old rows are taken and its holder does not
	Sources func(p muster.Position) (shard int32, reads bool)

	// ShardOf gives the shard that has all rows with a key. Nil: a row may be in any, and all are asked.
	ShardOf func(key string) int32
	// Merge makes one row of those with the same key in several shards. Nil: they stay several.
	Merge func(rows []projector.RawRow) (projector.RawRow, error)
}

// group is what one instance is asked for.
type group struct {
	holder projector.Instance
	shards []int32
}

// about gives the shards that a query is about.
func (l *Layout) about(q *projector.Query) []int32 {
	if l.ShardOf != nil && q.Key != "" && q.Index == "" {
		return []int32{l.ShardOf(q.Key)}
	}
	return orAll(q.Shards, l.Shards)
}

// copied tells whether an instance is to answer who takes old rows: it has all that a query is about, or nobody keeps copies, so that what it has once
// held is as good as any. Where copies are kept, what was held once is the last to be read.
func (l *Layout) copied(q *projector.Query, self string) bool {
	if len(l.Copies) == 0 {
		return true
	}
	for _, shard := range l.about(q) {
		if l.Holders[shard].Name != self && !slices.ContainsFunc(l.Copies[shard], func(at projector.Instance) bool { return at.Name == self }) {
			return false
		}
	}
	return true
}

// groups gives the instances that hold the shards a query is about.
func (l *Layout) groups(q *projector.Query) ([]group, error) {
	return l.grouped(q, func(shard int32) (projector.Instance, bool) {
		at, held := l.Holders[shard]
		return at, held
	})
}

// copies gives instances that have copies of them, and where there is none the holder.
func (l *Layout) copies(q *projector.Query) ([]group, error) {
	return l.grouped(q, func(shard int32) (projector.Instance, bool) {
		if all := l.Copies[shard]; len(all) > 0 {
			return all[0], true
		}
		at, held := l.Holders[shard]
		return at, held
	})
}

func (l *Layout) grouped(q *projector.Query, at func(shard int32) (projector.Instance, bool)) ([]group, error) {
	var all []group
	for _, s := range l.about(q) {
		holder, held := at(s)
		if !held {
			return nil, away(ReasonNoAddress, "no instance holds shard %d of view %s@%d now; ask again", s, q.View, l.Version)
		}
		i := slices.IndexFunc(all, func(g group) bool { return g.holder == holder })
		if i < 0 {
			i, all = len(all), append(all, group{holder: holder})
		}
		all[i].shards = append(all[i].shards, s)
	}
	return all, nil
}

// awaited gives the positions that concern some shards. One that the view does not read is refused.
func (l *Layout) awaited(q *projector.Query, shards []int32) ([]muster.Position, error) {
	var all []muster.Position
	for _, p := range q.AtLeast {
		if p.IsZero() {
			continue
		}
		shard, reads := l.Sources(p)
		if !reads {
			return nil, badRequest("view %s does not read %s[%d], of which position %v is; wait for a view that does", q.View, p.Topic, p.Partition, p)
		}
		if slices.Contains(shards, shard) {
			all = append(all, p)
		}
	}
	return all, nil
}
