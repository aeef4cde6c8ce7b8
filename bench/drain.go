package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// drain is a backlog worked off: consumed, decided on state, events and offsets committed, remembered, answered. The time runs from the
// first partition assigned, so the recovery of the empty partitions is in it, until the last answer is durable.
func drain(ctx context.Context, c *cluster, s sizes) (pass, error) {
	from, drop, err := c.stage(ctx, "drain")
	if err != nil {
		return pass{}, err
	}
	defer drop()
	if err := (backlog{commands: s.commands, aggregates: s.aggregates, payload: s.payload}).write(ctx, c, from); err != nil {
		return pass{}, fmt.Errorf("backlog: %w", err)
	}
	spent := c.meter()
	took, detail, err := c.drained(ctx, from, s.commands)
	if err != nil {
		return pass{}, err
	}
	p := pass{Value: rate(s.commands, took), Detail: detail}
	spent.per(c, detail, "", "command", float64(s.commands))
	if !c.cfg.raw {
		return p, nil
	}
	spent = c.meter()
	if took, err = c.drainRaw(ctx, from, s.commands, true); err != nil {
		return pass{}, fmt.Errorf("bare loop: %w", err)
	}
	p.Raw = rate(s.commands, took)
	spent.per(c, detail, "raw_", "command", float64(s.commands))
	if took, err = c.drainRaw(ctx, from, s.commands, false); err != nil {
		return pass{}, fmt.Errorf("bare loop without headers: %w", err)
	}
	detail["raw_without_headers"] = rate(s.commands, took)
	return p, nil
}

// drained lets an owner work off the backlog of a stage.
func (c *cluster) drained(ctx context.Context, s *stage, n int) (time.Duration, map[string]float64, error) {
	o, err := c.own(ctx, s)
	if err != nil {
		return 0, nil, err
	}
	err = c.answered(ctx, o, s, n)
	took := time.Since(o.assigned)
	if err != nil {
		return 0, nil, errors.Join(err, o.end())
	}
	detail, err := o.stages()
	return took, detail, errors.Join(err, o.end())
}

// answered waits until n answers are durable, and holds the engine's own counts against it.
func (c *cluster) answered(ctx context.Context, o *owner, s *stage, n int) error {
	err := until(ctx, func() (bool, error) {
		written, err := c.written(ctx, s.replies)
		return written >= int64(n), errors.Join(err, o.Healthy())
	})
	if err != nil {
		return err
	}
	m, err := o.gather()
	if err != nil {
		return err
	}
	if events, answers := m.sum("muster_events_total", ""), m.sum("muster_answers_total", "OK"); events != float64(n) || answers != float64(n) {
		return fmt.Errorf("%d commands gave %v events and %v answers with code OK", n, events, answers)
	}
	return nil
}

func rate(n int, took time.Duration) float64 { return float64(n) / took.Seconds() }
