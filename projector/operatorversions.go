package projector

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/seed-3eec0498/muster"
)

// VersionStatus says how one version of a projection stands, as far as instances tell.
type VersionStatus struct {
	Projection string // name@version
	Generation int    // the newest one
	Serving    bool   // it answers; with a rebuild under way an older generation of it does
	Ready      bool   // it has caught up everywhere, so it can serve
	Lag        int64  // records not applied yet, over all shards; of a replicated projection on the instance that is farthest behind
}

// Versions says how the versions of a projection stand, those of this build, the highest first.
func (o *Operator) Versions(ctx context.Context, name string) ([]VersionStatus, error) {
	if _, err := o.definition(name); err != nil {
		return nil, err
	}
	if err := o.config.Control.Sync(ctx); err != nil {
		return nil, o.unreadable(err)
	}
	entries, _ := o.config.Control.Entries()
	serving, _ := readServing(entries, name)
	var all []VersionStatus
	for _, d := range o.config.Definitions {
		if d.name != name {
			continue
		}
		e := edition{d.version, readBuild(entries, d.String()).Generation}
		v := VersionStatus{Projection: d.String(), Generation: e.generation, Serving: serving.Version == d.version}
		v.Ready = caughtUp(entries, name, e, len(d.shardNumbers()), o.config.Now())
		perShard := map[int32]int64{}
		for _, s := range statuses(entries, &scope{d: d, name: d.String(), shards: d.shardNumbers()}, o.config.Now()) {
			if s.Generation == e.generation && !s.Standby {
				perShard[s.Shard] = max(perShard[s.Shard], s.Lag)
			}
		}
		for _, lag := range perShard {
			v.Lag += lag
		}
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b VersionStatus) int {
		_, m, _ := splitName(a.Projection)
		_, n, _ := splitName(b.Projection)
		return n - m
	})
	return all, nil
}

// Serve makes a version answer, on every instance, by one entry of the control table; also one that served before. It must have caught up on all
// instances that run the projection: FailedPrecondition tells how far it is. Then it waits, some seconds as a rule, until they say that they have
// what is in the journals at the time of the call; DeadlineExceeded or Cancelled when ctx ends before. Lower versions than the one given are kept for its [KeepOld].
func (o *Operator) Serve(ctx context.Context, name string, version int) error {
	d, err := o.definition(editionName(name, version))
	if err != nil {
		return err
	}
	all, err := o.Versions(ctx, name)
	if err != nil {
		return err
	}
	entries, _ := o.config.Control.Entries()
	serving, _ := readServing(entries, name)
	for _, v := range all {
		if v.Projection != d.String() {
			continue
		}
		if v.Serving && serving.Generation == v.Generation {
			return nil
		}
		if !v.Ready {
			return muster.Errorf(muster.FailedPrecondition, "projection %s has not caught up on all instances, %d records are left; wait for it, or look at its status", d, v.Lag)
		}
		if err := o.await(ctx, d, v.Generation); err != nil {
			return err
		}
		record := servingRecord{
			Format: controlFormat, Version: version, Generation: v.Generation, Top: max(serving.Top, version), Since: o.config.Now().UTC(), By: o.config.By,
		}
		value, err := json.Marshal(record)
		if err != nil {
			return err
		}
		if err := o.put(ctx, servingKeys+name, value); err != nil {
			return err
		}
	}
	return o.wait(ctx, &scope{d: d, name: d.String()}, "serve", func(*Status) bool { return true })
}

// await waits until a version has everything that is in the journals now.
func (o *Operator) await(ctx context.Context, d *Definition, generation int) error {
	if o.config.Look == nil {
		return nil
	}
	shards := map[int32]Shard{}
	for _, s := range d.Shards(o.config.Prefix) {
		shards[s.Number] = s
	}
	ends, err := endsOf(ctx, shards, o.config.Look)
	if err != nil {
		return muster.Errorf(muster.Unavailable, "projection %s: the journals cannot be looked at, so nothing was ordered: %v", d, err)
	}
	tick := time.NewTicker(reportEvery) // time alone makes the dead count no more
	defer tick.Stop()
	for {
		entries, changed := o.config.Control.Entries()
		if reached(entries, d.name, edition{d.version, generation}, ends, o.config.Now()) {
			return nil
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			return muster.Errorf(muster.CodeOf(ctx.Err()), "projection %s has fallen behind what is in the journals and did not catch up in time; nothing was ordered", d)
		}
	}
}

// Rebuild makes everything of a projection anew from its start. A view is built beside what serves, which goes on serving until the new rows have
// caught up everywhere; other targets begin with nothing at once. Effects are not repeated for events that are in the journals now. It returns the
// number of the generation when the order stands; [Operator.Status] shows how far it is. A rebuild that is under way is given up for the new one.
func (o *Operator) Rebuild(ctx context.Context, projection string) (generation int, err error) {
	d, err := o.definition(projection)
	if err != nil {
		return 0, err
	}
	if o.config.Look == nil {
		return 0, fmt.Errorf("projector.OperatorConfig: Look is missing; a rebuild needs it to find out where the journals end")
	}
	if err := o.config.Control.Sync(ctx); err != nil {
		return 0, o.unreadable(err)
	}
	entries, _ := o.config.Control.Entries()
	record := buildRecord{Format: controlFormat, Generation: readBuild(entries, d.String()).Generation + 1, By: o.config.By, When: o.config.Now().UTC()}
	for _, shard := range d.Shards(o.config.Prefix) {
		for _, source := range shard.Sources {
			look, err := o.config.Look(ctx, source)
			if err != nil {
				return 0, muster.Errorf(muster.Unavailable, "projection %s: journal %s cannot be looked at, so nothing was ordered: %v", d, source, err)
			}
			record.Mark = append(record.Mark, actPlace{source.Topic, source.Partition, look.High})
		}
	}
	value, err := json.Marshal(record)
	if err != nil {
		return 0, err
	}
	return record.Generation, o.put(ctx, buildKeys+d.String(), value)
}
