package projector

import (
	"context"
	"slices"
	"time"
)

// copyJournal opens what the copies of a projection are read from, where it has any.
func (v *Versions) copyJournal(ctx context.Context, d *Definition) (Journal, func(), error) {
	if v.config.CopyJournal == nil || d.standbys == 0 {
		return nil, func() {}, nil
	}
	return v.config.CopyJournal(ctx, d)
}

// known gives the editions that something is stored of.
func (v *Versions) known() []edition {
	if v.config.Kept == nil {
		return nil
	}
	seen := map[edition]bool{}
	var all []edition
	for _, s := range v.config.Kept(v.name) {
		e := edition{s.Version, s.Generation}
		if !seen[e] {
			seen[e] = true
			all = append(all, e)
		}
	}
	return all
}

// idleShard is one that something is stored of and nobody here works on.
type idleShard struct {
	edition edition
	number  int32
}

// expire removes rows that nobody here has worked on for WarmTime: of shards that have gone to other instances, and of copies that are kept elsewhere now.
func (v *Versions) expire(ctx context.Context, now time.Time) {
	if v.config.Kept == nil || v.config.WarmTime <= 0 {
		return
	}
	idle := map[idleShard]time.Time{}
	for _, s := range v.config.Kept(v.name) {
		at := idleShard{edition{s.Version, s.Generation}, s.Number}
		v.mu.Lock()
		run := v.runs[at.edition]
		v.mu.Unlock()
		if run == nil || run.runner.works(s.Number) {
			continue // what is not run is no shard that has moved: see plan
		}
		since, before := v.idle[at]
		if !before {
			since = now
		}
		if now.Sub(since) < v.config.WarmTime {
			idle[at] = since
			continue
		}
		if err := v.dropIdle(ctx, run.runner, s); err != nil {
			idle[at] = since
			v.log.WarnContext(ctx, "rows of a shard that is elsewhere could not be removed, trying again", "projection", s.Projection, "shard", s.Number, "error", err)
		}
	}
	v.idle = idle
}

// dropIdle removes the rows of a shard, unless it has come back meanwhile: while it does, none comes.
func (v *Versions) dropIdle(ctx context.Context, r *Runner, s Shard) error {
	r.standing.turn.Lock()
	defer r.standing.turn.Unlock()
	if r.works(s.Number) {
		return nil
	}
	i := slices.IndexFunc(v.config.Editions, func(e Edition) bool { return e.Definition.version == s.Version })
	if err := v.config.Editions[i].Target.Drop(ctx, s); err != nil {
		return err
	}
	v.log.InfoContext(ctx, "rows of a shard that is elsewhere were removed", "projection", s.Projection, "shard", s.Number, "generation", s.Generation)
	return nil
}

// works tells whether a shard is held here, or a copy of it is kept.
func (r *Runner) works(number int32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held[number] != nil || r.standing.held[number] != nil
}
