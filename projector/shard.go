package projector

import (
	"fmt"
	"time"

	"github.com/seed-3eec0498/muster"
)

// Source is one partition of one journal.
type Source struct {
	Topic     string
	Partition int32
}

// String gives topic[partition].
func (s Source) String() string { return fmt.Sprintf("%s[%d]", s.Topic, s.Partition) }

// Whole is the number of the only shard of a [Replicated] projection.
const Whole int32 = -1

// Shard is what is held, moved, paused and rebuilt as one: partition p of every group the projection reads, or all of them.
type Shard struct {
	Projection string // name@version
	Name       string
	Version    int
	Generation int   // how often it was rebuilt; each generation has rows and checkpoints of its own
	Number     int32 // the partition, or Whole
	Sources    []Source
	Standby    bool // a copy that is kept warm and is not served

	// Erased is the number of the last erasure that was ordered when the shard was claimed, 0 where there was none: rows that are stored with a lower
	// Change.Acts are of before it, and a target that answers queries shows them to nobody until one as high is committed.
	Erased int64
}

// String gives name@version/number.
func (s Shard) String() string {
	if s.Number == Whole {
		return s.Projection
	}
	return fmt.Sprintf("%s/%d", s.Projection, s.Number)
}

// Checkpoint says up to where a source has been applied. It is stored with what was made of it.
type Checkpoint struct {
	Source    Source
	TopicID   [16]byte  // tells a journal from one that was made again under its name
	Next      int64     // offset of the first record not applied
	LastEvent string    // id of the last event applied; tells a journal that was cut and written again
	LastAt    int64     // its offset; -1 when there is none
	Time      time.Time // its ce_time
}

// Position gives the place of the last record that counts as applied; waits compare with it.
func (c Checkpoint) Position() muster.Position {
	return muster.Position{Topic: c.Source.Topic, Partition: c.Source.Partition, Offset: c.Next - 1}
}

// Shards gives the shards of a projection, for a topic prefix.
func (d *Definition) Shards(prefix string) []Shard {
	whole := Shard{Projection: d.String(), Name: d.name, Version: d.version, Number: Whole}
	if d.placement == Replicated {
		for _, g := range d.groups {
			for p := range g.Partitions() {
				whole.Sources = append(whole.Sources, Source{g.JournalTopic(prefix), p})
			}
		}
		return []Shard{whole}
	}
	var all []Shard
	for p := range d.groups[0].Partitions() {
		one := whole
		one.Number, one.Sources = p, nil
		for _, g := range d.groups {
			one.Sources = append(one.Sources, Source{g.JournalTopic(prefix), p})
		}
		all = append(all, one)
	}
	return all
}
