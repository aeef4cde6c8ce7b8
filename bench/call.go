package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Warming up is short beside the window, and has an end of its own for the row that counts calls instead of time.
func (c *cluster) loop(s sizes, clients int) loop {
	return loop{
		clients: clients, warm: s.window / 8, window: s.window, seed: c.cfg.seed,
		pick: func(r *rand.Rand) int { return r.IntN(s.aggregates) },
	}
}

// callOne is one client whose calls follow one another. Value and raw are the median latency.
func callOne(transactional bool) func(context.Context, *cluster, sizes) (pass, error) {
	return func(ctx context.Context, c *cluster, s sizes) (pass, error) {
		l := c.loop(s, 1)
		l.limit, l.window = s.calls, time.Minute
		p, ours, raw, err := c.calls(ctx, "call-1", s, l, beside{transactional: transactional})
		p.Value, p.Raw = ours.percentile(0.5), raw.percentile(0.5)
		return p, err
	}
}

// callMany is many clients with spread keys.
func callMany(transactional bool) func(context.Context, *cluster, sizes) (pass, error) {
	return func(ctx context.Context, c *cluster, s sizes) (pass, error) {
		p, _, _, err := c.calls(ctx, "call-256", s, c.loop(s, s.clients), beside{transactional: transactional})
		return p, err
	}
}

// callSkew is many clients of which nine in ten calls go to a hundredth of the aggregates.
func callSkew(ctx context.Context, c *cluster, s sizes) (pass, error) {
	l := c.loop(s, s.clients)
	l.pick = func(r *rand.Rand) int {
		if r.IntN(10) < 9 {
			return r.IntN(max(1, s.aggregates/100))
		}
		return r.IntN(s.aggregates)
	}
	p, _, _, err := c.calls(ctx, "call-skew", s, l, beside{})
	return p, err
}

// callReplicated is callMany with every topic on three brokers, and how long its commits took.
func callReplicated(ctx context.Context, c *cluster, s sizes) (pass, error) {
	p, _, _, err := c.calls(ctx, "call-256-rf3", s, c.loop(s, s.clients), beside{look: func(o *owner, detail map[string]float64) error {
		m, err := o.gather()
		detail["commit_median_ms"], detail["commits_15ms_over_median_share_at_most"] = m.commits(15 * time.Millisecond)
		return err
	}})
	return p, err
}

// callHot is many clients and one aggregate. What stands beside it is no bare loop but the engine with spread keys, on the same service.
func callHot(ctx context.Context, c *cluster, s sizes) (pass, error) {
	at, drop, err := c.stage(ctx, "call-hot")
	if err != nil {
		return pass{}, err
	}
	defer drop()
	o, err := c.own(ctx, at)
	if err != nil {
		return pass{}, err
	}
	hot, spread := c.loop(s, s.clients), c.loop(s, s.clients)
	hot.call, spread.call = o.caller(at, s, c.cfg.seed), o.caller(at, s, c.cfg.seed)
	hot.pick = func(*rand.Rand) int { return 1 }
	err = o.AwaitReady(ctx)
	var one, many counted
	if err == nil {
		one, err = hot.run(ctx)
	}
	if err == nil && c.cfg.raw {
		many, err = spread.run(ctx)
	}
	detail := map[string]float64{"p50_ms": one.percentile(0.5), "p99_ms": one.percentile(0.99)}
	return pass{Value: one.rate, Raw: many.rate, Detail: detail}, errors.Join(err, o.end())
}

// beside is what a row has beyond its calls.
type beside struct {
	transactional bool                                   // the bare loop commits events and offsets, see transactor
	look          func(*owner, map[string]float64) error // sees the owner before it ends
}

// calls runs a loop against the engine and then against the bare loop.
func (c *cluster) calls(ctx context.Context, name string, s sizes, l loop, b beside) (p pass, ours, raw counted, err error) {
	at, drop, err := c.stage(ctx, name)
	if err != nil {
		return p, ours, raw, err
	}
	defer drop()
	spent := c.meter()
	if ours, p.Detail, err = c.callOwner(ctx, at, s, l, b.look); err != nil {
		return p, ours, raw, err
	}
	p.Detail["p50_ms"], p.Detail["p99_ms"] = ours.percentile(0.5), ours.percentile(0.99)
	spent.per(c, p.Detail, "", "call", ours.all)
	p.Value = ours.rate
	spent = c.meter()
	if !c.cfg.raw {
		return p, ours, raw, nil
	}
	if raw, err = c.callRaw(ctx, s, l, b.transactional); err != nil {
		return p, ours, raw, fmt.Errorf("bare loop: %w", err)
	}
	p.Detail["raw_p50_ms"], p.Detail["raw_p99_ms"] = raw.percentile(0.5), raw.percentile(0.99)
	spent.per(c, p.Detail, "raw_", "call", raw.all)
	p.Raw = raw.rate
	return p, ours, raw, nil
}

func (c *cluster) callOwner(ctx context.Context, at *stage, s sizes, l loop, look func(*owner, map[string]float64) error) (counted, map[string]float64, error) {
	o, err := c.own(ctx, at)
	if err != nil {
		return counted{}, nil, err
	}
	l.call = o.caller(at, s, c.cfg.seed)
	var all counted
	defer side(ctx, "callers")()
	if err = o.AwaitReady(ctx); err == nil {
		all, err = l.run(ctx)
	}
	detail, gathering := o.stages()
	if err = errors.Join(err, gathering); err == nil && look != nil {
		err = look(o, detail)
	}
	return all, detail, errors.Join(err, o.end())
}

// caller makes calls as a user of the service does.
func (o *owner) caller(at *stage, s sizes, seed uint64) func(context.Context, int, int) error {
	in, names := wrapperspb.Bytes(filling(seed, s.payload)), accounts(s.aggregates+1)
	return func(ctx context.Context, _, aggregate int) error {
		_, err := at.record.Call(ctx, o.client, names[aggregate], in)
		return err
	}
}
