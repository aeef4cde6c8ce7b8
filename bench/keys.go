package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"time"

	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/service"
)

// keyMemory is what the row keys-1m gives to the copy of the key topic.
const keyMemory = 64 << 20

// keysMany is the memory of a process that has read a key topic of very many subjects, each with one key. The value is what its resident memory has grown by
// with the copy on disk, and beside it with the copy in memory, in MiB. The topic is made as it is read and held nowhere, so that nothing else is measured.
func keysMany(ctx context.Context, c *cluster, s sizes) (pass, error) {
	dir, err := os.MkdirTemp("", "muster-bench-keys-")
	if err != nil {
		return pass{}, err
	}
	defer os.RemoveAll(dir)
	copied, err := service.OpenKeyCopy(ctx, dir, keyMemory, nil)
	if err != nil {
		return pass{}, err
	}
	log := &keyTopic{seed: c.cfg.seed, subjects: s.keys}
	onDisk, diskTime, err := log.read(ctx, copied)
	if err = errors.Join(err, copied.Close()); err != nil {
		return pass{}, err
	}
	p := pass{Value: onDisk, Detail: map[string]float64{"subjects": float64(s.keys), "given_mib": keyMemory >> 20, "seconds": diskTime.Seconds()}}
	if !c.cfg.raw {
		return p, nil
	}
	inMemory, memoryTime, err := log.read(ctx, crypto.NewMemoryCopy())
	p.Raw, p.Detail["raw_seconds"] = inMemory, memoryTime.Seconds()
	return p, err
}

// keyTopic is a [crypto.KeyLog] of one partition that makes its records as they are read.
type keyTopic struct {
	seed     uint64
	subjects int
}

// read opens a key store over the topic, looks for some of its subjects, and gives by how much memory has grown.
func (t *keyTopic) read(ctx context.Context, copied crypto.KeyCopy) (mib float64, took time.Duration, err error) {
	debug.FreeOSMemory()
	before, began := residentMiB(), time.Now()
	keys, err := crypto.OpenTopicKeys(ctx, t, crypto.TopicKeysConfig{Copy: copied})
	if err != nil {
		return 0, 0, err
	}
	defer keys.Close()
	took = time.Since(began)
	for n := 0; n < t.subjects; n += 1 + t.subjects/10_000 {
		if e, err := keys.Active(ctx, t.subject(n)); err != nil || e.Version != 1 {
			return 0, took, fmt.Errorf("subject %d has version %d: %w", n, e.Version, err)
		}
	}
	debug.FreeOSMemory()
	return max(1, residentMiB()-before), took, nil // what is less is lost among all else
}

func (t *keyTopic) subject(n int) (ref crypto.SubjectRef) {
	r := rand.New(rand.NewPCG(t.seed, uint64(n)))
	binary.BigEndian.PutUint64(ref[:], r.Uint64())
	binary.BigEndian.PutUint64(ref[8:], r.Uint64())
	return ref
}

// Partitions implements [crypto.KeyLog].
func (*keyTopic) Partitions() int32 { return 1 }

// Append implements [crypto.KeyLog].
func (*keyTopic) Append(context.Context, int32, []byte, []byte) (int64, error) {
	return 0, errors.New("this topic is only read")
}

// End implements [crypto.KeyLog].
func (t *keyTopic) End(context.Context) ([]int64, error) { return []int64{int64(t.subjects)}, nil }

// Follow implements [crypto.KeyLog].
func (t *keyTopic) Follow(ctx context.Context, from []int64, record func(partition int32, offset int64, key, value []byte), next func(partition int32, next int64)) error {
	template, err := keyRecordOf(ctx)
	if err != nil {
		return err
	}
	for n := int(from[0]); n < t.subjects && ctx.Err() == nil; n++ {
		ref, id := t.subject(n), t.subject(-n-1)
		value := append([]byte(nil), template...)
		copy(value[1:], id[:])
		record(0, int64(n), append(ref[:], id[:]...), value)
	}
	next(0, int64(t.subjects))
	<-ctx.Done()
	return ctx.Err()
}

// keyRecordOf gives the value of the record that makes a key, by having one made.
func keyRecordOf(ctx context.Context) (value []byte, err error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	one := &oneKeyTopic{told: make(chan struct{})}
	keys, err := crypto.OpenTopicKeys(ctx, one, crypto.TopicKeysConfig{})
	if err != nil {
		return nil, err
	}
	defer keys.Close()
	_, err = keys.PutIfAbsent(ctx, crypto.Entry{
		Subject: crypto.SubjectRef{1}, ID: crypto.KeyID{1}, Version: 1, State: crypto.EntryActive, Generation: 1, Wrapped: make([]byte, 60),
	})
	return one.value, err
}

// oneKeyTopic is a key topic with room for one record.
type oneKeyTopic struct {
	keyTopic
	key, value []byte
	told       chan struct{} // closed when they are there
}

// Append implements [crypto.KeyLog].
func (t *oneKeyTopic) Append(_ context.Context, _ int32, key, value []byte) (int64, error) {
	t.key, t.value = key, value
	close(t.told)
	return 0, nil
}

// End implements [crypto.KeyLog].
func (t *oneKeyTopic) End(context.Context) ([]int64, error) {
	select {
	case <-t.told:
		return []int64{1}, nil
	default:
		return []int64{0}, nil
	}
}

// Follow implements [crypto.KeyLog].
func (t *oneKeyTopic) Follow(ctx context.Context, _ []int64, record func(partition int32, offset int64, key, value []byte), next func(partition int32, next int64)) error {
	select {
	case <-t.told:
	case <-ctx.Done():
		return ctx.Err()
	}
	record(0, 0, t.key, t.value)
	next(0, 1)
	<-ctx.Done()
	return ctx.Err()
}
