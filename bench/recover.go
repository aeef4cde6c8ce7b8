package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// recoverCold is an owner that comes up without local state: it folds the whole journal, stores states and command ids, and then serves.
// The time runs from the first partition assigned until all serve. Every command had one event.
func recoverCold(ctx context.Context, c *cluster, s sizes) (pass, error) {
	at, drop, err := c.stage(ctx, "recover")
	if err != nil {
		return pass{}, err
	}
	defer drop()
	if err := c.history(ctx, at, s.recover, s.payload, accounts(s.aggregates)); err != nil {
		return pass{}, fmt.Errorf("journal: %w", err)
	}
	spent := c.meter()
	o, err := c.own(ctx, at)
	if err != nil {
		return pass{}, err
	}
	err = o.AwaitReady(ctx)
	took := time.Since(o.assigned)
	m, gathering := o.gather()
	if err = errors.Join(err, gathering); err == nil {
		if folded := m.sum("muster_replayed_events_total", ""); folded != float64(s.recover) {
			err = fmt.Errorf("%d events lie in the journal, %v were folded", s.recover, folded)
		}
	}
	p := pass{Value: rate(s.recover, took), Detail: map[string]float64{"rss_mib": residentMiB()}}
	spent.per(c, p.Detail, "", "event", float64(s.recover))
	if err = errors.Join(err, o.end()); err != nil || !c.cfg.raw {
		return p, err
	}
	spent = c.meter()
	if took, err = c.readRaw(ctx, at, s.recover, payloadOf); err != nil {
		return pass{}, fmt.Errorf("bare loop: %w", err)
	}
	p.Raw = rate(s.recover, took)
	spent.per(c, p.Detail, "raw_", "event", float64(s.recover))
	decode := func(r *kgo.Record) error {
		e, err := kafka.DecodeEvent(r, at.group)
		if err != nil {
			return err
		}
		return proto.Unmarshal(e.Payload, &wrapperspb.BytesValue{})
	}
	if took, err = c.readRaw(ctx, at, s.recover, decode); err != nil {
		return pass{}, fmt.Errorf("bare loop with headers: %w", err)
	}
	p.Detail["raw_with_headers_decoded"] = rate(s.recover, took)
	return p, nil
}

func payloadOf(r *kgo.Record) error { return proto.Unmarshal(r.Value, &wrapperspb.BytesValue{}) }

// readRaw is the bare loop beside recover: it fetches the journal read_committed and decodes each payload.
func (c *cluster) readRaw(ctx context.Context, at *stage, n int, decode func(*kgo.Record) error) (time.Duration, error) {
	began := time.Now()
	r, err := c.reader(at.journal(), kgo.NewOffset().AtStart(), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return 0, err
	}
	defer r.Close()
	for seen := 0; seen < n; {
		fetches := r.PollFetches(ctx)
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		err := fetched(fetches)
		fetches.EachRecord(func(in *kgo.Record) {
			seen++
			if err == nil {
				err = decode(in)
			}
		})
		if err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}

// transaction is how many events of a history are one transaction.
const transaction = 20_000

// history writes a journal as an owner would: n events of the aggregates in turn, with all their headers, in transactions.
func (c *cluster) history(ctx context.Context, at *stage, n, payloadBytes int, names []string) error {
	w, err := c.writer(kgo.TransactionalID(at.name+"/history"), kgo.ProducerLinger(5*time.Millisecond), kgo.MetadataMinAge(10*time.Millisecond))
	if err != nil {
		return err
	}
	defer w.Close()
	payload, err := encoded(c.cfg.seed, payloadBytes)
	if err != nil {
		return err
	}
	topic, now := at.journal(), time.Now().UTC().Truncate(time.Microsecond)
	result, err := proto.Marshal(wrapperspb.UInt64(25))
	if err != nil {
		return err
	}
	answer := (&muster.Outcome{ContentType: muster.ContentProtobuf, Payload: result}).Encode(nil)
	out := newOutput(w)
	for i := 0; i < n; {
		if err := w.BeginTransaction(); err != nil {
			return err
		}
		for range min(transaction, n-i) {
			e := event(at, names[i%len(names)], i, uint64(i/len(names)+1), now)
			e.Payload, e.Answer = payload, answer
			out.put(ctx, kafka.EncodeEvent(&e, topic))
			i++
		}
		if err := out.flush(ctx); err != nil {
			return err
		}
		if err := known(ctx, w, topic); err != nil {
			return err
		}
		if err := w.EndTransaction(ctx, kgo.TryCommit); err != nil {
			return err
		}
	}
	return nil
}

func event(at *stage, aggregate string, n int, revision uint64, now time.Time) muster.Event {
	cause := fmt.Sprintf("0193f0a0-0000-7000-8000-%012d", n)
	return muster.Event{
		Meta: muster.Meta{
			ID: cause + "/0", Type: eventName, Group: at.group.Name(), AggregateID: aggregate, Revision: revision, Time: now,
			CorrelationID: cause, CausationID: cause, ContentType: muster.ContentProtobuf, Partition: kafka.Partition(aggregate, partitions),
		},
		Count: 1, Fingerprint: uint32(n),
	}
}
