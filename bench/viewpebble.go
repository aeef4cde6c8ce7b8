package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// viewPebble is a view of the toolkit: one row written per event. The bare loop beside it has the rows at hand, or fetches the events that
// they are made of.
func viewPebble(fetched bool) func(context.Context, *cluster, sizes) (pass, error) {
	return func(ctx context.Context, c *cluster, s sizes) (pass, error) { return c.viewPebble(ctx, s, fetched) }
}

func (c *cluster) viewPebble(ctx context.Context, s sizes, fetched bool) (pass, error) {
	at, drop, err := c.stage(ctx, "view-pebble")
	if err != nil {
		return pass{}, err
	}
	defer drop()
	looked, err := c.recorded(ctx, at, s)
	if err != nil {
		return pass{}, fmt.Errorf("journal: %w", err)
	}
	p := pass{Detail: map[string]float64{}}
	spent := c.meter()
	view := newRowsView(at)
	took, err := c.projected(ctx, at, s.events, view, func(o *owner) error { return found(ctx, o, view, looked) })
	if err != nil {
		return pass{}, err
	}
	p.Value = rate(s.events, took)
	spent.per(c, p.Detail, "", "event", float64(s.events))
	if !c.cfg.raw {
		return p, nil
	}
	spent = c.meter()
	if fetched {
		took, err = c.pebbleFetched(ctx, at, s.events)
	} else {
		took, err = c.pebbleRaw(s.events, s.payload, keys(c.cfg.seed, s.keys))
	}
	if err != nil {
		return pass{}, fmt.Errorf("bare loop: %w", err)
	}
	p.Raw = rate(s.events, took)
	spent.per(c, p.Detail, "raw_", "event", float64(s.events))
	p.Detail["raw_fetch"], err = c.fetchRaw(ctx, at, s.events)
	return p, err
}

// newRowsView keeps the last event of each aggregate as a row.
func newRowsView(at *stage) *projector.View[*wrapperspb.BytesValue] {
	v := projector.NewView[*wrapperspb.BytesValue](projectionName)
	projector.On(v, at.recorded, func(_ context.Context, rows *projector.Rows[*wrapperspb.BytesValue], e *wrapperspb.BytesValue, m muster.Meta) error {
		return rows.Put(m.AggregateID, e)
	})
	return v
}

// recorded writes the journal and gives some of the keys in it. The others are gone when it returns: a million texts that only this program
// needs would be looked at by every garbage collection while the engine is measured, and the engine makes garbage where the bare loop makes none.
func (c *cluster) recorded(ctx context.Context, at *stage, s sizes) (some []string, err error) {
	names := keys(c.cfg.seed, s.keys)
	written := min(s.events, len(names))
	for i := 0; i < written; i += 1 + written/100 {
		some = append(some, strings.Clone(names[i]))
	}
	return some, c.history(ctx, at, s.events, s.payload, names)
}

// found looks for some of the rows.
func found(ctx context.Context, o *owner, view *projector.View[*wrapperspb.BytesValue], keys []string) error {
	for _, key := range keys {
		if _, err := view.Get(ctx, o.Views(), key); err != nil {
			return fmt.Errorf("row %s: %w", key, err)
		}
	}
	return nil
}

// What the bare loop shares with the toolkit's view store and runner.
const (
	rawMemTable = 32 << 20
	rawCache    = 64 << 20
	rawBatch    = 1000 // events
	rawHead     = 5    // bytes in front of a row's key: number of the shard, kind
)

// rawRow is in front of a row's payload.
var rawRow = []byte{1, 1, 0}

// pebbleRaw is the bare loop beside view-pebble: it writes the same rows in batches of as many events, and nothing else. It reads no journal.
func (c *cluster) pebbleRaw(n, payload int, names []string) (took time.Duration, err error) {
	dir, err := os.MkdirTemp(c.cfg.dir, "muster-bench-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	row, err := encoded(c.cfg.seed, payload)
	if err != nil {
		return 0, err
	}
	row = append(rawRow[:len(rawRow):len(rawRow)], row...)
	began := time.Now()
	db, err := rawStore(dir)
	if err != nil {
		return 0, err
	}
	key := make([]byte, rawHead, 64)
	for i := 0; i < n && err == nil; {
		batch := db.NewBatch()
		for range min(rawBatch, n-i) {
			binary.BigEndian.PutUint32(key, uint32(i%partitions))
			if err = batch.Set(append(key[:rawHead], names[i%len(names)]...), row, nil); err != nil {
				break
			}
			i++
		}
		if err == nil {
			err = batch.Set(key[:rawHead], binary.BigEndian.AppendUint64(nil, uint64(i)), nil) // in the place of the checkpoint
		}
		if err == nil {
			err = batch.Commit(pebble.NoSync)
		}
		err = errors.Join(err, batch.Close())
	}
	took = time.Since(began)
	return took, errors.Join(err, db.Close())
}

// rawStore opens Pebble with the settings of the toolkit's view store.
func rawStore(dir string) (*pebble.DB, error) {
	cache := pebble.NewCache(rawCache)
	defer cache.Unref()
	return pebble.Open(dir, &pebble.Options{MemTableSize: rawMemTable, Cache: cache, Logger: silent{}})
}

// pebbleFetched is the bare loop beside view-pebble-fetched: it fetches the events, decodes their payloads and writes the same rows in batches of
// as many events. It reads no headers and knows neither shards nor letters.
func (c *cluster) pebbleFetched(ctx context.Context, at *stage, n int) (took time.Duration, err error) {
	dir, err := os.MkdirTemp(c.cfg.dir, "muster-bench-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	began := time.Now()
	db, err := rawStore(dir)
	if err != nil {
		return 0, err
	}
	batch, seen := db.NewBatch(), 0
	key, row := make([]byte, rawHead, 64), append([]byte{}, rawRow...)
	commit := func() error {
		err := batch.Set(key[:rawHead], binary.BigEndian.AppendUint64(nil, uint64(seen)), nil) // in the place of the checkpoint
		return errors.Join(err, batch.Commit(pebble.NoSync), batch.Close())
	}
	_, err = c.readRaw(ctx, at, n, func(r *kgo.Record) error {
		if err := payloadOf(r); err != nil {
			return err
		}
		binary.BigEndian.PutUint32(key, uint32(r.Partition))
		aggregate := r.Key[:bytes.LastIndexByte(r.Key, '/')]
		if err := batch.Set(append(key[:rawHead], aggregate...), append(row[:len(rawRow)], r.Value...), nil); err != nil {
			return err
		}
		if seen++; seen%rawBatch != 0 {
			return nil
		}
		err := commit()
		batch = db.NewBatch()
		return err
	})
	if err == nil {
		err = commit()
	}
	took = time.Since(began)
	return took, errors.Join(err, db.Close())
}

// silent is a logger for Pebble.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(string, ...any) {}
