package projector

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-3eec0498/muster"
)

// The kinds of acts.
const (
	actResume  = "resume"
	actSkip    = "skip"
	actRestart = "restart"
	actRetry   = "retry"
	actDrop    = "drop"
	actErase   = "erase"
)

// The keys of the control table. Values are JSON with "format".
//
//	paused/<name>@<version>            pauseRecord; all shards are paused while it is there
//	paused/<name>@<version>/<shard>    the same for one
//	act/<uuid>                         act; each shard it concerns does it once, in the order of their numbers
//	act/erase-<name>@<version>-<id>    the same of an erasure; it stays for ever
//	status/<name>@<version>/<instance>/<generation>
//	                                   statusRecord; removed when the instance ends, of no account when it is older than staleAfter
const (
	pausedKeys = "paused/"
	actKeys    = "act/"
	eraseKeys  = actKeys + "erase-"
	statusKeys = "status/"
)

const controlFormat = 1

// act is something that is to be done once by each shard it concerns.
type act struct {
	Format     int        `json:"format"`
	Projection string     `json:"projection"` // name@version
	Shards     []int32    `json:"shards,omitempty"`
	Kind       string     `json:"kind"`
	At         []actPlace `json:"at,omitempty"`      // of skip: the record; of restart: where to go on, by source, none means the start; of resume: marks of trims that are accepted
	Key        string     `json:"key,omitempty"`     // of retry and drop: one key
	Letter     string     `json:"letter,omitempty"`  // of retry and drop: one letter
	Erasure    string     `json:"erasure,omitempty"` // of erase: its id
	Subject    string     `json:"subject,omitempty"` // of erase: subject_ref, 32 hex digits
	By         string     `json:"by,omitempty"`
	When       time.Time  `json:"when"`
	number     int64
	key        string // in the control table
}

type actPlace struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// lists tells whether a position is one of an act.
func (a *act) lists(pos muster.Position) bool {
	return slices.Contains(a.At, actPlace{pos.Topic, pos.Partition, pos.Offset})
}

// pauseRecord says who paused.
type pauseRecord struct {
	Format int       `json:"format"`
	By     string    `json:"by,omitempty"`
	When   time.Time `json:"when"`
}

// statusRecord is what an instance says of its shards.
type statusRecord struct {
	Format int       `json:"format"`
	When   time.Time `json:"when"`
	Shards []Status  `json:"shards"`
}

func (a *act) concerns(shard int32) bool {
	return len(a.Shards) == 0 || slices.Contains(a.Shards, shard)
}

// names tells whether the act is about a record.
func (a *act) names(ev *muster.Event) bool {
	return len(a.At) == 1 && a.At[0] == actPlace{ev.Topic, ev.Partition, ev.Offset}
}

// revives tells whether it lets a stopped shard go on.
func (a *act) revives() bool { return a.Kind == actResume || a.Kind == actSkip || a.Kind == actRestart }

// orders is what operators want of one projection. It is never changed: a new one takes its place.
type orders struct {
	all    bool           // everything is paused
	paused map[int32]bool // these shards are
	acts   []act          // by number
}

// latest gives the number of the last act.
func (o *orders) latest() int64 {
	if len(o.acts) == 0 {
		return 0
	}
	return o.acts[len(o.acts)-1].number
}

// erased gives the number of the last erasure that concerns a shard, 0 where there is none.
func (o *orders) erased(shard int32) int64 {
	for _, a := range slices.Backward(o.acts) {
		if a.Kind == actErase && a.concerns(shard) {
			return a.number
		}
	}
	return 0
}

func (o *orders) pauses(shard int32) bool { return o.all || o.paused[shard] }

// revives tells whether there is an act behind the given one that lets a stopped shard go on.
func (o *orders) revives(shard int32, behind int64) bool {
	return slices.ContainsFunc(o.acts, func(a act) bool { return a.number > behind && a.revives() && a.concerns(shard) })
}

// pending tells whether there is an act for the shard behind the given one.
func (o *orders) pending(shard int32, behind int64) bool {
	return slices.ContainsFunc(o.acts, func(a act) bool { return a.number > behind && a.concerns(shard) })
}

// same tells whether both want the same.
func (o *orders) same(p *orders) bool {
	if o.all != p.all || len(o.paused) != len(p.paused) || len(o.acts) != len(p.acts) || o.latest() != p.latest() {
		return false
	}
	for shard := range o.paused {
		if !p.paused[shard] {
			return false
		}
	}
	return true
}

// readOrders takes from the control table what concerns a projection; faults are entries it cannot read.
func readOrders(entries map[string]Entry, projection string) (*orders, []error) {
	o := &orders{paused: map[int32]bool{}}
	var faults []error
	for key, entry := range entries {
		switch {
		case strings.HasPrefix(key, pausedKeys):
			name, shard, one := strings.Cut(strings.TrimPrefix(key, pausedKeys), "/")
			if name != projection {
				continue
			}
			if !one {
				o.all = true
				continue
			}
			n, err := strconv.ParseInt(shard, 10, 32)
			if err != nil {
				faults = append(faults, fmt.Errorf("control entry %q names no shard", key))
				continue
			}
			o.paused[int32(n)] = true
		case strings.HasPrefix(key, eraseKeys) && !strings.HasPrefix(key, eraseKey(projection, "")):
			// Erasures of others are passed over unread: they stay for ever, so there may be many.
		case strings.HasPrefix(key, actKeys):
			a := act{}
			if err := json.Unmarshal(entry.Value, &a); err != nil {
				faults = append(faults, fmt.Errorf("control entry %q cannot be read: not the JSON of an act", key))
				continue
			}
			if a.Projection != projection {
				continue
			}
			if a.Format != controlFormat {
				faults = append(faults, fmt.Errorf("control entry %q has format %d, this build knows %d; upgrade this instance", key, a.Format, controlFormat))
				continue
			}
			a.number, a.key = entry.Number, key
			o.acts = append(o.acts, a)
		}
	}
	slices.SortFunc(o.acts, func(a, b act) int {
		if a.number < b.number {
			return -1
		}
		return 1
	})
	return o, faults
}
