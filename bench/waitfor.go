package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-3eec0498/muster"
)

// waitFor is one client whose calls return when a view has the event. Value is the median latency of these calls, raw that of a bare read-committed reader: from
// the same moment, before the call, until it sees the same event.
func waitFor(ctx context.Context, c *cluster, s sizes) (pass, error) {
	at, drop, err := c.stage(ctx, "wait-for")
	if err != nil {
		return pass{}, err
	}
	defer drop()
	view := newRowsView(at)
	o, err := c.own(ctx, at, view)
	if err != nil {
		return pass{}, err
	}
	p := pass{Detail: map[string]float64{}}
	if err = o.AwaitReady(ctx); err == nil {
		err = c.waited(ctx, o, at, view, s, &p)
	}
	return p, errors.Join(err, o.end())
}

// sighting is an event as the bare reader saw it.
type sighting struct {
	position muster.Position
	at       time.Time
}

func (c *cluster) waited(ctx context.Context, o *owner, at *stage, view muster.Awaited, s sizes, p *pass) error {
	seen, end, err := c.sightings(ctx, at)
	if err != nil {
		return err
	}
	defer end()
	in, names := wrapperspb.Bytes(filling(c.cfg.seed, s.payload)), accounts(s.aggregates)
	random := rand.New(rand.NewPCG(c.cfg.seed, 4))
	var ours, bare []float64
	warm := max(1, s.calls/10)
	for i := range warm + s.calls {
		var receipt muster.Receipt
		name, began := names[random.IntN(len(names))], time.Now()
		if _, err := at.record.Call(ctx, o.client, name, in, muster.WaitFor(view), muster.ReceiptTo(&receipt)); err != nil {
			return err
		}
		took := time.Since(began)
		var one sighting
		select {
		case one = <-seen:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if one.position != receipt.Position {
			return fmt.Errorf("the bare reader saw the event at %v, the call wrote the one at %v", one.position, receipt.Position)
		}
		if i >= warm {
			ours, bare = append(ours, milliseconds(took)), append(bare, milliseconds(one.at.Sub(began)))
		}
	}
	slices.Sort(ours)
	same := func(v float64) float64 { return v }
	p.Value, p.Detail["p99_ms"] = median(ours, same), ours[len(ours)*99/100]
	if c.cfg.raw {
		p.Raw = median(bare, same)
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// sightings lets a bare read-committed reader tell when it sees each event. end ends it.
func (c *cluster) sightings(ctx context.Context, at *stage) (seen <-chan sighting, end func(), err error) {
	r, err := c.reader(at.journal(), kgo.NewOffset().AtStart(), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return nil, nil, err
	}
	reading, stop := context.WithCancel(ctx)
	out := make(chan sighting, 1)
	var reader sync.WaitGroup
	reader.Go(func() {
		for reading.Err() == nil {
			fetches := r.PollFetches(reading)
			now := time.Now()
			fetches.EachRecord(func(in *kgo.Record) {
				select {
				case out <- sighting{muster.Position{Topic: in.Topic, Partition: in.Partition, Offset: in.Offset}, now}:
				case <-reading.Done():
				}
			})
		}
	})
	return out, func() {
		stop()
		reader.Wait()
		r.Close()
	}, nil
}
