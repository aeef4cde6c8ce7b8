package projector

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/seed-3eec0498/muster"
)

// What instances say of their shards is some seconds old, and a shard that was live once may have fallen behind since. So before an edition
// takes over, the journals are looked at, and it has to have applied all that was decided in them at that moment: then nothing that the edition
// before it had at that moment is missing.

// proof is where the journals were when an edition was first found fit to serve.
type proof struct {
	edition edition
	ends    map[Source]int64
}

// lookTimeout bounds one round of looks.
const lookTimeout = 5 * time.Second

// proven tells whether the plan's edition has come to where the journals were when it was first proposed.
func (v *Versions) proven(ctx context.Context, entries map[string]Entry, e edition) bool {
	if v.proof == nil || v.proof.edition != e {
		v.mu.Lock()
		r := v.runs[e]
		v.mu.Unlock()
		if r == nil {
			return false // an instance that runs it sees to it
		}
		ctx, cancel := context.WithTimeout(ctx, lookTimeout)
		defer cancel()
		ends, err := endsOf(ctx, r.runner.shards, r.runner.config.Journal.Look)
		if err != nil {
			v.log.WarnContext(ctx, "whether a version can take over cannot be seen, trying again", "projection", editionName(v.name, e.version), "error", err)
			return false
		}
		v.proof = &proof{e, ends}
	}
	return reached(entries, v.name, e, v.proof.ends, v.config.Runner.Now())
}

// endsOf gives up to where the journals of shards are decided.
func endsOf(ctx context.Context, shards map[int32]Shard, look func(context.Context, Source) (Look, error)) (map[Source]int64, error) {
	ends := map[Source]int64{}
	for _, shard := range shards {
		for _, source := range shard.Sources {
			at, err := look(ctx, source)
			if err != nil {
				return nil, err
			}
			ends[source] = at.Stable
		}
	}
	return ends, nil
}

// reached tells whether an edition has applied the journals up to the given ends: on every instance that has the shard.
func reached(entries map[string]Entry, name string, e edition, ends map[Source]int64, now time.Time) bool {
	there := map[Source]bool{}
	for key, entry := range entries {
		var record statusRecord
		if !strings.HasPrefix(key, statusKeys+editionName(name, e.version)+"/") || silent(entry, now) || json.Unmarshal(entry.Value, &record) != nil {
			continue
		}
		for _, s := range record.Shards {
			if s.Generation != e.generation || s.Standby {
				continue
			}
			for _, c := range s.Checkpoint {
				if c.Next < ends[c.Source] {
					return false
				}
				there[c.Source] = true
			}
		}
	}
	return len(there) == len(ends)
}

// levelTimeout bounds how long a change waits for the last events here.
const levelTimeout = 3 * time.Second

// level waits until what is to serve here has all that serves here now, so that who reads on this instance does not go back in time.
func (v *Versions) level(ctx context.Context, from, to edition) {
	v.mu.Lock()
	old, next := v.runs[from], v.runs[to]
	v.mu.Unlock()
	if old == nil || next == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, levelTimeout)
	defer cancel()
	for _, s := range old.runner.Status() {
		if s.Standby {
			continue
		}
		for _, c := range s.Checkpoint {
			// Not held here, paused, put aside: there is nothing to wait for.
			if err := next.runner.Await(ctx, c.Position()); muster.CodeOf(err) == muster.DeadlineExceeded {
				v.log.WarnContext(ctx, "another version serves from now on, a few events behind", "projection", editionName(v.name, to.version), "error", err)
				return
			}
		}
	}
}
