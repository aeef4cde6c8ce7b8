package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The rows that have a Kafka Streams application beside the engine instead of a bare loop. Both do the work of the ledger, exactly once, on the same
// brokers. The caller of the calls is the same for both: it sends a command and waits for the committed answer, which is a reply of the engine, and the
// event of Kafka Streams, read committed.

// streamsWarm is how long calls are made to a new virtual machine before they count: it compiles what runs often.
const streamsWarm = 10 * time.Second

func peerRows() []row {
	var rows []row
	for _, commit := range []time.Duration{10 * time.Millisecond, 100 * time.Millisecond} {
		suffix := fmt.Sprintf("-streams-%d", commit.Milliseconds())
		rows = append(rows,
			row{name: "drain" + suffix, unit: "commands/s", wanted: "> 2.5", peer: true, pass: drainStreams(commit)},
			row{name: "call-1" + suffix, unit: "ms p50", wanted: "< 0.125", peer: true, pass: callStreams(commit, 1)},
			row{name: "call-256" + suffix, unit: "calls/s", wanted: "> 4", peer: true, pass: callStreams(commit, 0)},
		)
	}
	return rows
}

// drainStreams lets both work off a backlog. Of Kafka Streams the first fifth does not count, in which its virtual machine warms up; the engine has
// none such, and its start is in its time.
func drainStreams(commit time.Duration) func(context.Context, *cluster, sizes) (pass, error) {
	return func(ctx context.Context, c *cluster, s sizes) (p pass, err error) {
		from, drop, err := c.stage(ctx, "drain")
		if err != nil {
			return pass{}, err
		}
		defer drop()
		if err := (backlog{commands: s.commands, aggregates: s.aggregates, payload: s.payload}).write(ctx, c, from); err != nil {
			return pass{}, fmt.Errorf("backlog: %w", err)
		}
		took, detail, err := c.drained(ctx, from, s.commands)
		if err != nil {
			return pass{}, err
		}
		p = pass{Value: rate(s.commands, took), Detail: detail}
		if c.cfg.raw {
			p.Raw, err = c.drainedByStreams(ctx, s, commit)
		}
		return p, err
	}
}

func (c *cluster) drainedByStreams(ctx context.Context, s sizes, commit time.Duration) (perSecond float64, err error) {
	at, drop, err := c.stage(ctx, "drain-streams")
	if err != nil {
		return 0, err
	}
	defer drop()
	warm := s.commands / 5
	if err := (backlog{commands: warm + s.commands, aggregates: s.aggregates, payload: s.payload}).write(ctx, c, at); err != nil {
		return 0, fmt.Errorf("backlog: %w", err)
	}
	app, err := c.startStreams(ctx, at, commit)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, app.end(ctx)) }()
	first, began, err := app.reach(ctx, int64(warm))
	if err != nil {
		return 0, err
	}
	last, ended, err := app.reach(ctx, int64(warm+s.commands))
	if err != nil {
		return 0, err
	}
	return float64(last-first) / ended.Sub(began).Seconds(), nil
}

// callStreams is call-1, or call-256 when no number of clients is given.
func callStreams(commit time.Duration, clients int) func(context.Context, *cluster, sizes) (pass, error) {
	return func(ctx context.Context, c *cluster, s sizes) (p pass, err error) {
		one := clients == 1
		l := c.loop(s, max(clients, 1))
		if !one {
			l = c.loop(s, s.clients)
		} else {
			l.limit, l.window = s.calls, 2*time.Minute
		}
		at, drop, err := c.stage(ctx, "call")
		if err != nil {
			return pass{}, err
		}
		defer drop()
		ours, detail, err := c.callOwner(ctx, at, s, l, nil)
		if err != nil {
			return pass{}, err
		}
		p = pass{Value: ours.rate, Detail: detail}
		p.Detail["p50_ms"], p.Detail["p99_ms"] = ours.percentile(0.5), ours.percentile(0.99)
		var theirs counted
		if c.cfg.raw {
			if theirs, err = c.callsToStreams(ctx, s, l, commit); err != nil {
				return pass{}, err
			}
			p.Raw = theirs.rate
			p.Detail["raw_p50_ms"], p.Detail["raw_p99_ms"] = theirs.percentile(0.5), theirs.percentile(0.99)
		}
		if one {
			p.Value, p.Raw = ours.percentile(0.5), theirs.percentile(0.5)
		}
		return p, nil
	}
}

func (c *cluster) callsToStreams(ctx context.Context, s sizes, l loop, commit time.Duration) (all counted, err error) {
	at, drop, err := c.stage(ctx, "call-streams")
	if err != nil {
		return counted{}, err
	}
	defer drop()
	app, err := c.startStreams(ctx, at, commit)
	if err != nil {
		return counted{}, err
	}
	defer func() { err = errors.Join(err, app.end(ctx)) }()
	ctx, failed := context.WithCancelCause(ctx)
	defer failed(nil)
	x, err := c.askStreams(ctx, at, s, failed)
	if err != nil {
		return counted{}, err
	}
	defer x.close()
	l.call = x.call
	if l.warm < streamsWarm && s.window >= time.Second {
		l.warm = streamsWarm
	}
	return l.run(ctx)
}

// askStreams is the callers' end of an exchange: the other end is the application, and its events are the answers.
func (c *cluster) askStreams(ctx context.Context, at *stage, s sizes, failed context.CancelCauseFunc) (*exchange, error) {
	x, err := c.callers(at, s, failed)
	if err != nil {
		return nil, err
	}
	running, end := context.WithCancel(ctx)
	x.end = end
	var faults [2]error
	x.asks, faults[0] = c.writer()
	x.hears, faults[1] = c.reader(at.journal(), kgo.NewOffset().AtStart(), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err := errors.Join(faults[:]...); err != nil {
		x.close()
		return nil, err
	}
	x.others.Go(func() { x.each(running, x.hears, x.hear) })
	return x, nil
}
