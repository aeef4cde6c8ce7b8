package main

import (
	"context"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// drainRaw is the bare loop beside drain: it reads the same commands and writes for each an event and a reply, with keys and values as long
// as the engine's. It has no state, no transaction and commits no offsets. With headers it hands those of the command on, as many and as
// long as the engine's, without making them.
func (c *cluster) drainRaw(ctx context.Context, from *stage, n int, headers bool) (time.Duration, error) {
	to, drop, err := c.stage(ctx, "drain-raw")
	if err != nil {
		return 0, err
	}
	defer drop()
	w, err := c.writer()
	if err != nil {
		return 0, err
	}
	defer w.Close()
	journal, replies := to.journal(), to.replies
	out, answer := newOutput(w), sampleReply(from).Value

	began := time.Now()
	r, err := c.reader(from.commands(), kgo.NewOffset().AtStart())
	if err != nil {
		return 0, err
	}
	defer r.Close()
	for seen := 0; seen < n; {
		fetches := r.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return 0, context.Cause(ctx)
		}
		if err := fetched(fetches); err != nil {
			return 0, err
		}
		fetches.EachRecord(func(in *kgo.Record) {
			event := &kgo.Record{Topic: journal, Partition: in.Partition, Key: eventKey(in), Value: in.Value}
			reply := &kgo.Record{Topic: replies, Partition: int32(seen % partitions), Key: in.Headers[1].Value, Value: answer}
			if headers {
				event.Headers, reply.Headers = in.Headers, in.Headers
			}
			out.put(ctx, event)
			out.put(ctx, reply)
			seen++
		})
	}
	if err := out.flush(ctx); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}

// eventKey is as long as the key of an event: aggregate id, slash, number.
func eventKey(in *kgo.Record) []byte {
	key := make([]byte, 0, len(in.Key)+8)
	return strconv.AppendInt(append(append(key, in.Key...), '/'), in.Offset%100, 10)
}
