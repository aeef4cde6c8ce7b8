package crypto_test

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/seed-3eec0498/muster/crypto"
)

// topicLog is a compacted topic in memory, as several processes see it.
type topicLog struct {
	mu      sync.Mutex // guards all
	records [][]crypto.KeyRecord
	ends    []int64
	changed chan struct{}
	broken  error                  // every call gives it
	follows map[chan struct{}]bool // who follows is cut when it is closed
	appends func(partition int32, r crypto.KeyRecord) error
}

func newTopicLog(partitions int) *topicLog {
	return &topicLog{records: make([][]crypto.KeyRecord, partitions), ends: make([]int64, partitions), changed: make(chan struct{}), follows: map[chan struct{}]bool{}}
}

func (l *topicLog) wakeLocked() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *topicLog) Partitions() int32 { return int32(len(l.records)) }

func (l *topicLog) Append(ctx context.Context, p int32, key, value []byte) (int64, error) {
	r := crypto.KeyRecord{Key: slices.Clone(key), Value: slices.Clone(value)}
	l.mu.Lock()
	hook := l.appends
	l.mu.Unlock()
	if hook != nil {
		if err := hook(p, r); err != nil {
			return 0, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := errors.Join(ctx.Err(), l.broken); err != nil {
		return 0, err
	}
	r.Offset = l.ends[p]
	l.records[p] = append(l.records[p], r)
	l.ends[p]++
	l.wakeLocked()
	return r.Offset, nil
}

func (l *topicLog) End(ctx context.Context) ([]int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.ends), errors.Join(ctx.Err(), l.broken)
}

func (l *topicLog) Follow(ctx context.Context, from []int64, f func(crypto.KeyBatch)) error {
	next := slices.Clone(from)
	cut := make(chan struct{})
	l.mu.Lock()
	l.follows[cut] = true
	l.wakeLocked()
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.follows, cut)
	}()
	for {
		l.mu.Lock()
		var batches []crypto.KeyBatch
		for p := range next {
			at := slices.IndexFunc(l.records[p], func(r crypto.KeyRecord) bool { return r.Offset >= next[p] })
			b := crypto.KeyBatch{Partition: int32(p), Next: l.ends[p]}
			if at >= 0 {
				b.Records = slices.Clone(l.records[p][at:])
			}
			if b.Next > next[p] {
				batches = append(batches, b)
			}
		}
		changed, broken := l.changed, l.broken
		l.mu.Unlock()
		if broken != nil {
			return broken
		}
		for _, b := range batches {
			next[b.Partition] = b.Next
			f(b)
		}
		if len(batches) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-cut:
			return errors.New("cut")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// compact keeps the last record of each key, and of the last one not even that a null.
func (l *topicLog) compact() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.records {
		last := map[string]int64{}
		for _, r := range l.records[p] {
			last[string(r.Key)] = r.Offset
		}
		l.records[p] = slices.DeleteFunc(l.records[p], func(r crypto.KeyRecord) bool { return r.Offset < last[string(r.Key)] || r.Value == nil })
	}
}

// cut ends what follows the topic, once so many do.
func (l *topicLog) cut(followers int) {
	for {
		l.mu.Lock()
		enough, changed := len(l.follows) >= followers, l.changed
		if enough {
			for f := range l.follows {
				close(f)
				delete(l.follows, f)
			}
		}
		l.mu.Unlock()
		if enough {
			return
		}
		<-changed
	}
}

// breakDown has every call fail from now on; nil mends it.
func (l *topicLog) breakDown(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = err
	l.wakeLocked()
}

// held gives all records with a value that the topic still has.
func (l *topicLog) held() (all []crypto.KeyRecord) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.records {
		all = append(all, l.records[p]...)
	}
	return all
}
