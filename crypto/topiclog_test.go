package crypto_test

import (
	"context"
	"errors"
	"slices"
	"sync"
)

type topicRecord struct {
	Offset     int64
	Key, Value []byte
}

// topicLog is a compacted topic in memory, as several processes see it.
type topicLog struct {
	mu      sync.Mutex // guards all
	records [][]topicRecord
	ends    []int64
	changed chan struct{}
	broken  error                     // every call gives it
	follows map[chan struct{}]bool    // who follows is cut when it is closed
	ahead   func(r topicRecord) error // called before the next append, once
	behind  func(r topicRecord)       // called after each append
}

func newTopicLog(partitions int) *topicLog {
	return &topicLog{records: make([][]topicRecord, partitions), ends: make([]int64, partitions), changed: make(chan struct{}), follows: map[chan struct{}]bool{}}
}

func (l *topicLog) wakeLocked() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *topicLog) Partitions() int32 { return int32(len(l.records)) }

func (l *topicLog) Append(ctx context.Context, p int32, key, value []byte) (int64, error) {
	r := topicRecord{Key: slices.Clone(key), Value: slices.Clone(value)}
	l.mu.Lock()
	ahead := l.ahead
	l.ahead = nil
	l.mu.Unlock()
	if ahead != nil {
		if err := ahead(r); err != nil {
			return 0, err
		}
	}
	l.mu.Lock()
	if l.behind != nil {
		defer l.behind(r)
	}
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

func (l *topicLog) Follow(ctx context.Context, from []int64, record func(int32, int64, []byte, []byte), passed func(int32, int64)) error {
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
		var all [][]topicRecord
		ends := slices.Clone(l.ends)
		for p := range next {
			var some []topicRecord
			if at := slices.IndexFunc(l.records[p], func(r topicRecord) bool { return r.Offset >= next[p] }); at >= 0 {
				some = slices.Clone(l.records[p][at:])
			}
			all = append(all, some)
		}
		changed, broken := l.changed, l.broken
		l.mu.Unlock()
		if broken != nil {
			return broken
		}
		if !slices.Equal(ends, next) {
			for p, some := range all {
				for _, r := range some {
					record(int32(p), r.Offset, r.Key, r.Value)
				}
				passed(int32(p), ends[p])
			}
			next = ends
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
		l.records[p] = slices.DeleteFunc(l.records[p], func(r topicRecord) bool { return r.Offset < last[string(r.Key)] || r.Value == nil })
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

// before has f called before the next append.
func (l *topicLog) before(f func(r topicRecord) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ahead = f
}

// after has f called after each append from now on.
func (l *topicLog) after(f func(r topicRecord)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.behind = f
}

// breakDown has every call fail from now on; nil mends it.
func (l *topicLog) breakDown(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = err
	l.wakeLocked()
}

// held gives all records with a value that the topic still has.
func (l *topicLog) held() (all []topicRecord) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.records {
		all = append(all, l.records[p]...)
	}
	return all
}
