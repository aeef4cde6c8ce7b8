package projector

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// edition is one version in one generation: what is built and serves as one.
type edition struct{ version, generation int }

// plan is what follows from the control table for the versions of one projection in this process. It is made without a look at anything else but the
// clock, so that every instance comes to the same one.
type plan struct {
	run   []edition      // what is to be run
	serve edition        // what answers; its version is 0 where nothing is known
	put   *servingRecord // what the table should say instead
	takes bool           // put makes another edition serve, which takes a proof
	drop  []edition      // what is to be removed, once it does not run
}

// planOf makes it. known are the editions that something is stored of here, of versions that this build does not have, too.
func planOf(entries map[string]Entry, name string, editions []Edition, known []edition, now time.Time) plan {
	var p plan
	record, told := readServing(entries, name)
	if !told {
		first := editions[0].Definition
		for _, e := range editions {
			if e.Definition.version < first.version {
				first = e.Definition
			}
		}
		record = servingRecord{Format: controlFormat, Version: first.version, Generation: readBuild(entries, first.String()).Generation, Top: first.version, Since: now}
		p.put = &record
	}
	p.serve = edition{record.Version, record.Generation}
	over := now.Sub(record.Since) >= keptBy(editions, &record)
	for _, one := range editions {
		d := one.Definition
		newest := edition{d.version, readBuild(entries, d.String()).Generation}
		if d.version < record.Version && over {
			continue // its time to be switched back to is over
		}
		p.run = append(p.run, newest)
		if _, beside := one.Target.(Generations); newest.version == p.serve.version && newest != p.serve && beside {
			p.run = append(p.run, p.serve)
		}
		if takesOver(d, newest, &record) && caughtUp(entries, name, newest, len(d.shardNumbers()), now) {
			p.put = &servingRecord{
				Format: controlFormat, Version: newest.version, Generation: newest.generation, Top: max(record.Top, newest.version), Since: now,
			}
			p.takes = told
			if newest.version == record.Version {
				p.put.Since = record.Since // a rebuild does not prolong the life of the version before
			}
		}
	}
	for _, e := range known {
		gone := e.version != record.Version && over && e.version < record.Version // of this build or not
		older := slices.ContainsFunc(p.run, func(r edition) bool { return r.version == e.version && r.generation > e.generation })
		if !slices.Contains(p.run, e) && (gone || older) {
			p.drop = append(p.drop, e)
		}
	}
	return p
}

// takesOver tells whether an edition is to serve as soon as it can.
func takesOver(d *Definition, e edition, serving *servingRecord) bool {
	if e.version == serving.Version {
		return e.generation > serving.Generation
	}
	return e.version > serving.Top && d.switching == SwitchCaughtUp
}

// caughtUp tells whether an edition has all it needs to serve: all of its shards are live, and on every instance that has a part in what serves.
func caughtUp(entries map[string]Entry, name string, e edition, shards int, now time.Time) bool {
	live := map[int32]bool{}
	there, here := map[string]bool{}, map[string]bool{} // instances that run any version; those that run this edition
	for key, entry := range entries {
		rest, is := strings.CutPrefix(key, statusKeys+name+"@")
		if !is || silent(entry, now) {
			continue
		}
		_, instance, _ := strings.Cut(rest, "/")
		instance = plainInstance(instance)
		var record statusRecord
		if json.Unmarshal(entry.Value, &record) != nil || record.Format != controlFormat {
			there[instance] = true
			continue
		}
		for _, s := range record.Shards {
			if s.Standby {
				continue // it serves nobody
			}
			there[instance] = true
			if s.Projection != editionName(name, e.version) || s.Generation != e.generation {
				continue
			}
			if s.State != Live {
				return false
			}
			here[instance], live[s.Shard] = true, true
		}
	}
	for instance := range there {
		if !here[instance] {
			return false
		}
	}
	return len(live) == shards
}

// shardNumbers gives the numbers of the shards.
func (d *Definition) shardNumbers() []int32 {
	if d.placement == Replicated {
		return []int32{Whole}
	}
	var all []int32
	for p := range d.groups[0].Partitions() {
		all = append(all, p)
	}
	return all
}
