package projector

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-3eec0498/muster"
)

// LetterQuery says which letters are wanted; the zero value of all but Scope means any.
type LetterQuery struct {
	Scope
	Key   string
	ID    string
	Kind  Kind
	Limit int // 0 means 100; at most 10,000
}

// wants tells whether a letter is among them.
func (q *LetterQuery) wants(l *Letter) bool {
	return (q.Key == "" || q.Key == l.Key) && (q.ID == "" || q.ID == l.ID) && (q.Kind == "" || q.Kind == l.Kind)
}

func (q *LetterQuery) limit() int {
	if q.Limit <= 0 {
		return 100
	}
	return min(q.Limit, 10_000)
}

// Status says what the instances say of their shards, by shard, and of the copies they keep warm, each behind its shard; a shard that nobody holds
// is missing.
func (o *Operator) Status(ctx context.Context, s Scope) ([]Status, error) {
	at, err := o.find(s)
	if err != nil {
		return nil, err
	}
	return o.status(ctx, at)
}

func (o *Operator) status(ctx context.Context, at *scope) ([]Status, error) {
	if err := o.config.Control.Sync(ctx); err != nil {
		return nil, o.unreadable(err)
	}
	entries, _ := o.config.Control.Entries()
	return statuses(entries, at, o.config.Now()), nil
}

// holding leaves out the copies: orders are done when those who hold the shards have done them, and the copies follow.
func holding(all []Status) []Status {
	return slices.DeleteFunc(all, func(s Status) bool { return s.Standby })
}

// statuses takes from the control table what instances say of the shards meant, by shard, generation and instance. What an instance said that has
// not said anything for a while does not count, and of two that both believe to hold a part of a sharded projection, the one that spoke last does.
func statuses(entries map[string]Entry, at *scope, now time.Time) []Status {
	type place struct {
		shard      int32
		generation int
		instance   string // of a replicated projection, which every instance holds, and of a copy
	}
	said := map[place]time.Time{}
	found := map[place]Status{}
	for key, entry := range entries {
		if !strings.HasPrefix(key, statusKeys+at.name+"/") || silent(entry, now) {
			continue
		}
		var record statusRecord
		if json.Unmarshal(entry.Value, &record) != nil || record.Format != controlFormat {
			continue // a newer build sees to its own
		}
		for _, s := range record.Shards {
			if !slices.Contains(at.shards, s.Shard) {
				continue
			}
			where := place{s.Shard, s.Generation, ""}
			if s.Shard == Whole || s.Standby {
				where.instance = s.Instance
			}
			if _, is := found[where]; !is || record.When.After(said[where]) {
				said[where], found[where] = record.When, s
			}
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b Status) int {
		return cmp.Or(cmp.Compare(a.Shard, b.Shard), btoi(a.Standby)-btoi(b.Standby), cmp.Compare(a.Generation, b.Generation), cmp.Compare(a.Instance, b.Instance))
	})
}

// Letters gives what was put aside, shard by shard, in the order it was. Where a shard is held by nobody, or its
// holder has said nothing yet, as right after a start, the error is Unavailable.
func (o *Operator) Letters(ctx context.Context, q LetterQuery) ([]Letter, error) {
	found, _, err := o.letters(ctx, q)
	return found, err
}

// letters gives them with the shards they lie in.
func (o *Operator) letters(ctx context.Context, q LetterQuery) (found []Letter, shards []int32, err error) {
	at, err := o.find(q.Scope)
	if err != nil {
		return nil, nil, err
	}
	if o.config.Letters == nil {
		return nil, nil, muster.Errorf(muster.Unimplemented, "projection %s: letters cannot be read here; ask a service that runs it", at.name)
	}
	all, err := o.status(ctx, at)
	if err != nil {
		return nil, nil, err
	}
	all = holding(all)
	for _, n := range at.shards {
		if !slices.ContainsFunc(all, func(s Status) bool { return s.Shard == n }) {
			e := muster.Errorf(muster.Unavailable, "projection %s: no instance has said that it holds shard %d, so its letters cannot be seen; try again", at.name, n)
			e.Retry = true
			return nil, nil, e
		}
	}
	for i, s := range all {
		if len(found) >= q.limit() {
			break
		}
		if i > 0 && all[i-1].Shard == s.Shard && (s.Shard != Whole || all[i-1].Instance == s.Instance) {
			continue // another generation of the same; its holder gives those of what serves
		}
		one := q
		one.Projection, one.Shards, one.Limit = at.name, []int32{s.Shard}, q.limit()-len(found)
		some, err := o.config.Letters(ctx, s.Instance, one)
		if err != nil {
			return nil, nil, err
		}
		if len(some) > 0 {
			found, shards = append(found, some...), append(shards, s.Shard)
		}
	}
	return found, shards, nil
}

// Retry runs the functions for what is parked under a key, in order. What succeeds is done and gone, in the same commit as what it wrote; at the
// first failure the rest stays parked.
func (o *Operator) Retry(ctx context.Context, s Scope, key string) error {
	return o.about(ctx, LetterQuery{Scope: s, Key: key, Limit: 1}, &act{Kind: actRetry, Key: key})
}

// RetryAll does the same for all parked keys.
func (o *Operator) RetryAll(ctx context.Context, s Scope) error {
	at, err := o.find(s)
	if err != nil {
		return err
	}
	return o.order(ctx, at, &act{Kind: actRetry})
}

// RetryLetter runs the function for one skipped letter. Later events of its key have been applied before it.
func (o *Operator) RetryLetter(ctx context.Context, s Scope, id string) error {
	return o.about(ctx, LetterQuery{Scope: s, ID: id, Kind: Skipped, Limit: 1}, &act{Kind: actRetry, Letter: id})
}

// Drop removes all that is parked under a key, for good; later events of it flow again.
func (o *Operator) Drop(ctx context.Context, s Scope, key string) error {
	return o.about(ctx, LetterQuery{Scope: s, Key: key, Limit: 1}, &act{Kind: actDrop, Key: key})
}

// DropLetter removes one letter for good. Where it was what its key waited for, the next one of the key is tried.
func (o *Operator) DropLetter(ctx context.Context, s Scope, id string) error {
	return o.about(ctx, LetterQuery{Scope: s, ID: id, Limit: 1}, &act{Kind: actDrop, Letter: id})
}

// about orders something of the shards where letters are.
func (o *Operator) about(ctx context.Context, q LetterQuery, a *act) error {
	if q.Key == "" && q.ID == "" {
		return muster.Errorf(muster.InvalidArgument, "projection %s: name the key or the letter", q.Projection)
	}
	at, err := o.find(q.Scope)
	if err != nil {
		return err
	}
	q.Projection = at.name
	found, shards, err := o.letters(ctx, q)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return muster.Errorf(muster.NotFound, "projection %s has no such letter or parked key in these shards; Letters lists what there is", at.name)
	}
	at.some, at.shards, at.whole = shards, shards, false
	return o.order(ctx, at, a)
}

// parsePosition reads topic[partition]@offset.
func parsePosition(s string) (muster.Position, bool) {
	place, offset, ok := strings.Cut(s, "]@")
	topic, partition, ok2 := strings.Cut(place, "[")
	n, err := strconv.ParseInt(offset, 10, 64)
	p, err2 := strconv.ParseInt(partition, 10, 32)
	if !ok || !ok2 || err != nil || err2 != nil {
		return muster.Position{}, false
	}
	return muster.Position{Topic: topic, Partition: int32(p), Offset: n}, true
}
