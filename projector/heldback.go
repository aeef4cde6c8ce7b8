package projector

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed-3eec0498/muster"
)

// ReadUpTo is how far the projection that is farthest behind has read a partition of a journal.
type ReadUpTo struct {
	Projection string // name@version; empty where none reads it
	Offset     int64  // of the first record it has not applied
}

// HeldBack says from the control table of a service how far its projections have read a journal, by partition: whatever lies before has been applied
// by all of them, in every version and generation that runs. Paused and stopped shards count where they are. What instances say is some seconds
// old, which errs to the safe side. The named projections, and all that have said something within a week, must say where they are in every
// partition: else the error is Unavailable, since it is not known what they still have to read.
func HeldBack(entries map[string]Entry, topic string, partitions int32, named []string, now time.Time) (map[int32]ReadUpTo, error) {
	at := map[string]map[int32]int64{}
	for _, name := range named {
		at[name] = map[int32]int64{}
	}
	for key, entry := range entries {
		var record statusRecord
		if !strings.HasPrefix(key, statusKeys) || now.Sub(entry.Time) > forgetAfter || json.Unmarshal(entry.Value, &record) != nil {
			continue
		}
		for i := range record.Shards {
			s := &record.Shards[i]
			for _, c := range s.Checkpoint {
				if s.Standby || c.Source.Topic != topic {
					continue
				}
				if at[s.Projection] == nil {
					at[s.Projection] = map[int32]int64{}
				}
				if silent(entry, now) {
					continue // who has the shard now says so, or is missed below
				}
				if known, is := at[s.Projection][c.Source.Partition]; !is || c.Next < known {
					at[s.Projection][c.Source.Partition] = c.Next
				}
			}
		}
	}
	back := map[int32]ReadUpTo{}
	for _, name := range slices.SortedFunc(maps.Keys(at), cmp.Compare) {
		for p := range partitions {
			next, is := at[name][p]
			if !is {
				e := muster.Errorf(muster.Unavailable, "projection %s: no instance says how far it has read %s[%d]; see that it runs, or take it out of use, and try again", name, topic, p)
				e.Retry = true
				return nil, e
			}
			if known, is := back[p]; !is || next < known.Offset {
				back[p] = ReadUpTo{name, next}
			}
		}
	}
	return back, nil
}
