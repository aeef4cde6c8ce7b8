package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
)

// rebuild is a view that is made from nothing out of a long journal. The value is the most memory the process had meanwhile as the system sees it, in MiB; on an
// embedded broker, which keeps the journal in memory, it is of no use.
func rebuild(ctx context.Context, c *cluster, s sizes) (pass, error) {
	at, drop, err := c.stage(ctx, "rebuild")
	if err != nil {
		return pass{}, err
	}
	defer drop()
	if err := c.history(ctx, at, s.rebuild, s.payload, keys(c.cfg.seed, s.keys)); err != nil {
		return pass{}, fmt.Errorf("journal: %w", err)
	}
	debug.FreeOSMemory()
	before := residentMiB()
	watching, stop := context.WithCancel(ctx)
	peak := 0.0
	var watch sync.WaitGroup
	watch.Go(func() { peak = highest(watching) })
	took, err := c.projected(ctx, at, s.rebuild, newRowsView(at), nil)
	stop()
	watch.Wait()
	if err != nil {
		return pass{}, err
	}
	p := pass{Value: peak, Detail: map[string]float64{"rss_before_mib": before, "seconds": took.Seconds(), "events_per_second": rate(s.rebuild, took)}}
	if c.cfg.raw {
		p.Detail["raw_fetch"], err = c.fetchRaw(ctx, at, s.rebuild)
	}
	return p, err
}
