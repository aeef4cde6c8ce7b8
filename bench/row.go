package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// row is one thing that is measured.
type row struct {
	name    string
	unit    string
	wanted  string // what the ratio, or the value where there is none, should be on one real broker
	brokers int    // how many it needs
	peer    bool   // what stands beside the engine is another toolkit
	pass    func(ctx context.Context, c *cluster, s sizes) (pass, error)
}

// pass is one measurement, of the engine and of the bare loop right after it.
type pass struct {
	Value  float64            `json:"value"`
	Raw    float64            `json:"raw,omitempty"`
	Load   float64            `json:"load"` // the machine's load average before it, the benchmark's own included
	Detail map[string]float64 `json:"detail,omitempty"`
}

// catalogue gives all rows in the order in which they run.
func catalogue() []row {
	return append([]row{
		{name: "drain", unit: "commands/s", wanted: ">= 0.5", pass: drain},
		{name: "call-1", unit: "ms p50", wanted: "<= 2.2", pass: callOne(false)},
		{name: "call-256", unit: "calls/s", wanted: ">= 0.45", pass: callMany(false)},
		{name: "call-1-transactional", unit: "ms p50", pass: callOne(true)},
		{name: "call-256-transactional", unit: "calls/s", pass: callMany(true)},
		{name: "call-hot", unit: "calls/s", wanted: ">= 0.5", pass: callHot},
		{name: "call-skew", unit: "calls/s", pass: callSkew},
		{name: "call-256-rf3", unit: "calls/s", wanted: ">= 0.3", brokers: 3, pass: callReplicated},
		{name: "recover", unit: "events/s", wanted: ">= 0.8", pass: recoverCold},
		{name: "resident", unit: "MiB RSS", wanted: "value < 1024", pass: resident},
		{name: "view-memory", unit: "events/s", wanted: ">= 0.6", pass: viewMemory},
		{name: "view-pebble", unit: "events/s", wanted: ">= 0.5", pass: viewPebble(false)},
		{name: "view-pebble-fetched", unit: "events/s", pass: viewPebble(true)},
		{name: "view-postgres", unit: "events/s", wanted: ">= 0.5", pass: viewPostgres},
		{name: "rebuild", unit: "MiB RSS", wanted: "value < 1024", pass: rebuild},
		{name: "seal-256", unit: "ns", wanted: "<= 2.2", pass: seal(256)},
		{name: "seal-1k", unit: "ns", wanted: "<= 1.7", pass: seal(1024)},
		{name: "open-1k", unit: "ns", wanted: "<= 2.2", pass: open(1024)},
		{name: "drain-sealed", unit: "commands/s", wanted: ">= 0.85", pass: drainSealed},
		{name: "drain-ciphered", unit: "commands/s", pass: drainCiphered},
		{name: "keys-1m", unit: "MiB RSS", wanted: "value < 192", pass: keysMany},
		{name: "wait-for", unit: "ms p50", wanted: "<= 2", pass: waitFor},
	}, peerRows()...)
}

// choose gives the rows with these names, in the order of the catalogue.
func choose(names []string) ([]row, error) {
	all := catalogue()
	if slices.Equal(names, []string{"all"}) {
		return all, nil
	}
	var chosen []row
	for _, r := range all {
		if slices.Contains(names, r.name) {
			chosen = append(chosen, r)
		}
	}
	if len(chosen) == len(names) && len(names) > 0 {
		return chosen, nil
	}
	known := make([]string, len(all))
	for i := range all {
		known[i] = all[i].name
	}
	return nil, fmt.Errorf("-run %s: the rows are %s; or all", strings.Join(names, ","), strings.Join(known, ", "))
}

// measure makes the passes.
func (r *row) measure(ctx context.Context, c *cluster) (result, error) {
	if c.cfg.warm {
		if _, err := r.pass(ctx, c, c.cfg.tenth()); err != nil {
			return result{}, fmt.Errorf("first, small pass: %w", err)
		}
	}
	var passes []pass
	for n := range c.cfg.repeat {
		load := loadAverage()
		one, err := r.pass(ctx, c, c.cfg.sizes)
		if err != nil {
			return result{}, fmt.Errorf("pass %d: %w", n+1, err)
		}
		one.Load = load
		passes = append(passes, one)
	}
	return r.result(c, passes), nil
}
