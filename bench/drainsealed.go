package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/bench/benchpb"
	"github.com/seed-3eec0498/muster/crypto"
)

// drainSealed is drain of commands, events and states with a personal field as long as a payload, which is sealed for each aggregate under a key of
// its own. Beside it stands the same engine, the same contract and the same backlog with nothing sealed.
func drainSealed(ctx context.Context, c *cluster, s sizes) (pass, error) {
	privacy := &crypto.Config{
		Keys: crypto.NewMemoryKeys(), KMS: crypto.NewMemoryKMS(), SubjectKey: make([]byte, 32), CacheEntries: 2 * s.aggregates,
	}
	return c.drainBeside(ctx, s, "drain-sealed", func(at *stage) (muster.Codec, func() error, error) {
		codec, err := crypto.Open(ctx, *privacy)
		if err != nil {
			return nil, nil, err
		}
		at.privacy = privacy
		return codec, codec.Close, nil
	})
}

// drainCiphered is the same with [bareCiphers] in place of package crypto: what the cipher alone costs the engine.
func drainCiphered(ctx context.Context, c *cluster, s sizes) (pass, error) {
	return c.drainBeside(ctx, s, "drain-ciphered", func(at *stage) (muster.Codec, func() error, error) {
		at.codec = &bareCiphers{}
		return &bareCiphers{}, func() error { return nil }, nil
	})
}

// sealing has the service of a stage seal, and gives the codec of who writes to it, with a function that lets go of that.
type sealing func(at *stage) (codec muster.Codec, release func() error, err error)

func inClear(*stage) (muster.Codec, func() error, error) {
	return muster.PlainCodec{}, func() error { return nil }, nil
}

func (c *cluster) drainBeside(ctx context.Context, s sizes, row string, seal sealing) (pass, error) {
	took, detail, err := c.drainedEntries(ctx, s, row, seal)
	if err != nil {
		return pass{}, err
	}
	p := pass{Value: rate(s.commands, took), Detail: detail}
	if !c.cfg.raw {
		return p, nil
	}
	took, beside, err := c.drainedEntries(ctx, s, row, inClear)
	if err != nil {
		return pass{}, fmt.Errorf("without sealing: %w", err)
	}
	p.Raw = rate(s.commands, took)
	for name, value := range beside {
		detail["raw_"+name] = value
	}
	return p, nil
}

// drainedEntries writes a backlog of entries, sealed or not, and lets an owner work it off.
func (c *cluster) drainedEntries(ctx context.Context, s sizes, row string, seal sealing) (took time.Duration, detail map[string]float64, err error) {
	at, drop, err := c.stage(ctx, row)
	if err != nil {
		return 0, nil, err
	}
	defer drop()
	codec, release, err := seal(at)
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	entry := &benchpb.Entry{Text: filling(c.cfg.seed, s.payload)}
	encode := func(cmd *muster.Command) (err error) {
		place := muster.Place{Purpose: muster.PurposeCommand, Group: cmd.Group, Type: cmd.Type, AggregateID: cmd.AggregateID, MessageID: cmd.ID}
		cmd.Payload, cmd.ContentType, err = codec.Encode(nil, place, entry)
		return err
	}
	if err := (backlog{commands: s.commands, aggregates: s.aggregates, payload: s.payload, encode: encode}).write(ctx, c, at); err != nil {
		return 0, nil, fmt.Errorf("backlog: %w", err)
	}
	spent := c.meter()
	o, err := c.serve(ctx, at, func(o *owner) bool { return len(o.Status()) > 0 }, entries(at.name))
	if err != nil {
		return 0, nil, err
	}
	err = c.answered(ctx, o, at, s.commands)
	took = time.Since(o.assigned)
	if err == nil {
		detail, err = o.stages()
	}
	if err = errors.Join(err, o.end()); err != nil {
		return 0, nil, err
	}
	spent.per(c, detail, "", "command", float64(s.commands))
	return took, detail, nil
}

// entries is the aggregate of entries: a command gives an event with its text, the state counts and keeps the last text.
func entries(name string) *muster.Aggregate[*benchpb.Entry] {
	g := muster.NewGroup(name, muster.Partitions(partitions))
	record := muster.NewCommand[*benchpb.Entry, *wrapperspb.UInt64Value](g, commandName)
	recorded := muster.NewEvent[*benchpb.Entry](g, eventName)
	a := muster.NewAggregate(g, func() *benchpb.Entry { return &benchpb.Entry{} })
	muster.Decide(a, record, func(_ context.Context, r *muster.Root[*benchpb.Entry], in *benchpb.Entry) (*wrapperspb.UInt64Value, error) {
		recorded.Emit(r, in)
		return wrapperspb.UInt64(r.State().Count), nil
	})
	muster.Evolve(a, recorded, func(s, e *benchpb.Entry) *benchpb.Entry {
		s.Count, s.Text = s.Count+1, append(s.Text[:0], e.Text...)
		return s
	})
	return a
}
