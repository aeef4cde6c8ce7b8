package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster/kafka"
)

// exchange is the bare loop beside the calls: a caller produces a request, a server fetches it and produces an answer, the caller fetches
// that. Records are as long as the engine's, headers included, and none is made anew. There is no state, no event, no transaction; nobody
// waits for acknowledgements, though all replicas must give theirs. As in a service, one process has both ends.
//
// With a transactor an event per request and the offsets are committed before the answers leave.
//
//	requests: producer asks ──▶ commands (12 partitions) ──▶ consumer serves
//	answers:  producer serves ──▶ one partition of replies ──▶ consumer hears
type exchange struct {
	asks, serves    *kgo.Client
	requests, hears *kgo.Client
	waiting         []chan struct{} // by client; the goroutine that hears sends, each has room for one
	request         *kgo.Record
	topic           string
	names           [][]byte
	places          []int32
	commits         *transactor // nil: there are no events and no transactions
	failed          context.CancelCauseFunc
	end             context.CancelFunc
	others          sync.WaitGroup
}

// number is the header that carries the client's number.
const number = "bench-client"

func (c *cluster) callRaw(ctx context.Context, s sizes, l loop, transactional bool) (counted, error) {
	at, drop, err := c.stage(ctx, "call-raw")
	if err != nil {
		return counted{}, err
	}
	defer drop()
	ctx, failed := context.WithCancelCause(ctx)
	defer failed(nil)
	x, err := c.exchange(ctx, at, s, transactional, failed)
	if err != nil {
		return counted{}, err
	}
	defer x.close()
	l.call = x.call
	return l.run(ctx)
}

func (c *cluster) exchange(ctx context.Context, at *stage, s sizes, transactional bool, failed context.CancelCauseFunc) (*exchange, error) {
	x, err := c.callers(at, s, failed)
	if err != nil {
		return nil, err
	}
	var faults [5]error
	x.asks, faults[0] = c.writer()
	x.serves, faults[1] = c.writer()
	x.requests, faults[2] = c.reader(at.commands(), kgo.NewOffset().AtStart())
	x.hears, faults[3] = c.reader(at.replies, kgo.NewOffset().AtStart())
	if transactional {
		x.commits, faults[4] = c.transactor(ctx, at)
	}
	running, end := context.WithCancel(ctx)
	x.end = end
	if err := errors.Join(faults[:]...); err != nil {
		x.close()
		return nil, err
	}
	sample := sampleReply(at)
	x.others.Go(func() { x.each(running, x.requests, func(in []*kgo.Record) { x.serve(running, in, sample) }) })
	x.others.Go(func() { x.each(running, x.hears, x.hear) })
	return x, nil
}

// callers is an exchange that nobody serves yet.
func (c *cluster) callers(at *stage, s sizes, failed context.CancelCauseFunc) (*exchange, error) {
	payload, err := encoded(c.cfg.seed, s.payload)
	if err != nil {
		return nil, err
	}
	x := &exchange{waiting: make([]chan struct{}, s.clients), request: sampleCommand(at, payload), topic: at.commands(), failed: failed}
	for i := range x.waiting {
		x.waiting[i] = make(chan struct{}, 1)
	}
	for _, name := range accounts(s.aggregates + 1) {
		x.names = append(x.names, []byte(name))
		x.places = append(x.places, kafka.Partition(name, partitions))
	}
	return x, nil
}

func (x *exchange) close() {
	x.end()
	x.others.Wait()
	for _, client := range []*kgo.Client{x.asks, x.serves, x.requests, x.hears} {
		if client != nil {
			client.Close()
		}
	}
	if x.commits != nil {
		x.commits.close()
	}
}

// each hands the records of every poll to do until ctx ends.
func (x *exchange) each(ctx context.Context, client *kgo.Client, do func([]*kgo.Record)) {
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return
		}
		if err := fetched(fetches); err != nil {
			x.failed(err)
			return
		}
		if records := fetches.Records(); len(records) > 0 {
			do(records)
		}
	}
}

func (x *exchange) call(ctx context.Context, client, aggregate int) error {
	headers := append(slices.Clip(x.request.Headers), kgo.RecordHeader{Key: number, Value: binary.BigEndian.AppendUint32(nil, uint32(client))})
	x.asks.Produce(ctx, &kgo.Record{
		Topic: x.topic, Partition: x.places[aggregate], Key: x.names[aggregate], Value: x.request.Value, Headers: headers,
	}, x.produced)
	select {
	case <-x.waiting[client]:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (x *exchange) serve(ctx context.Context, requests []*kgo.Record, sample *kgo.Record) {
	if x.commits != nil {
		if err := x.commits.commit(ctx, requests); err != nil {
			x.failed(fmt.Errorf("transaction: %w", err))
			return
		}
	}
	for _, in := range requests {
		headers := append(slices.Clip(sample.Headers), in.Headers[len(in.Headers)-1])
		x.serves.Produce(ctx, &kgo.Record{Topic: sample.Topic, Partition: sample.Partition, Key: sample.Key, Value: sample.Value, Headers: headers}, x.produced)
	}
}

func (x *exchange) hear(answers []*kgo.Record) {
	for _, in := range answers {
		client := binary.BigEndian.Uint32(in.Headers[len(in.Headers)-1].Value)
		x.waiting[client] <- struct{}{}
	}
}

func (x *exchange) produced(_ *kgo.Record, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		x.failed(err)
	}
}
