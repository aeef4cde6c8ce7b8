package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// stateBytes is the size of a state in the row resident.
const stateBytes = 200

// resident is the memory of an owner after it has handled a command of each of very many aggregates. The value is the process as the
// system sees it, in MiB, with nothing freed on purpose; on an embedded broker that includes the broker and is of no use.
func resident(ctx context.Context, c *cluster, s sizes) (pass, error) {
	at, drop, err := c.stage(ctx, "resident")
	if err != nil {
		return pass{}, err
	}
	defer drop()
	all := backlog{commands: s.resident, aggregates: s.resident, payload: stateBytes - counterBytes, inOrder: true}
	if err := all.write(ctx, c, at); err != nil {
		return pass{}, fmt.Errorf("backlog: %w", err)
	}
	debug.FreeOSMemory()
	before := residentMiB()
	o, err := c.own(ctx, at)
	if err != nil {
		return pass{}, err
	}
	watching, stop := context.WithCancel(ctx)
	peak := 0.0
	var watch sync.WaitGroup
	watch.Go(func() { peak = highest(watching) })
	err = c.answered(ctx, o, at, s.resident)
	stop()
	watch.Wait()
	p := pass{Value: residentMiB(), Detail: map[string]float64{"rss_before_mib": before, "rss_peak_mib": peak}}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p.Detail["heap_mib"] = float64(m.HeapAlloc) / (1 << 20)
	runtime.GC()
	runtime.ReadMemStats(&m)
	p.Detail["heap_live_mib"] = float64(m.HeapAlloc) / (1 << 20)
	return p, errors.Join(err, o.end())
}

// highest gives the most memory seen until ctx ends.
func highest(ctx context.Context) float64 {
	ticks := time.NewTicker(50 * time.Millisecond)
	defer ticks.Stop()
	most := residentMiB()
	for {
		select {
		case <-ctx.Done():
			return max(most, residentMiB())
		case <-ticks.C:
			most = max(most, residentMiB())
		}
	}
}
