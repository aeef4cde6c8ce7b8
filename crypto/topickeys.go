package crypto

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// TopicKeysConfig says how [OpenTopicKeys] reads and keeps a key topic. The zero value is usable.
type TopicKeysConfig struct {
	// Copy keeps what the topic says. Nil means memory, see [NewMemoryCopy]. It must be empty.
	Copy KeyCopy
	// Staleness is how long this process may know nothing of the topic before its watches are cut, which takes up to two thirds longer. What is cached counts as known
	// up to the last answer, so keep all that below Config.Grace. Zero means 15 s.
	Staleness time.Duration
	// Age is how old the knowledge that a read is answered from may be; an older one asks for the end of the topic first. Zero means 1 s.
	Age time.Duration
	// SegmentTime is the topic's segment.ms: so long after a change each partition is ticked, so that the cleaner reaches what was overwritten. Zero means 10 min.
	SegmentTime time.Duration
	// Mend is how long a record that says what does not hold, such as a re-wrap that raced a destruction, may lie before it is overwritten. Zero means 2 s.
	Mend time.Duration
	// Logger hears of trouble. Nil means that nothing is logged.
	Logger *slog.Logger
}

// TopicKeys is a key store in a compacted topic. Every process has a copy of the whole topic, written by one goroutine that follows it, and answers from that
// once it knows that the copy is recent.
//
// To create a key is to append a candidate and to read back to it; of several candidates for one version the one at the lowest offset holds. To destroy a
// subject is to append a marker, which dominates whatever is written under the subject's keys, at any offset; then each of its entries is overwritten without
// key bytes, so that compaction forgets them. Records that say what does not hold any more are overwritten by whoever sees them.
type TopicKeys struct {
	log    KeyLog
	copy   KeyCopy
	config TopicKeysConfig
	logger *slog.Logger

	watchers rowWatchers

	mu      sync.Mutex           // guards what follows
	next    []int64              // everything below is in copy, by partition
	moved   chan struct{}        // closed and replaced when next has changed
	asked   time.Time            // when the end was last asked for that next has come to
	asking  *asking              // whoever asks for the end now
	stale   map[SubjectRef]bool  // subjects with records that have to be overwritten
	damaged map[SubjectRef]error // subjects with records that cannot be read
	trouble error                // why the topic cannot be followed now
	change  []time.Time          // of each partition: when something was written last that a tick has to follow; zero: nothing

	end  context.CancelFunc
	done sync.WaitGroup
}

// asking is a question for the end that several wait for.
type asking struct {
	done chan struct{}
	err  error // read-only when done is closed
}

const (
	defaultStaleness   = 15 * time.Second
	defaultKeyAge      = time.Second
	defaultSegmentTime = 10 * time.Minute
	defaultMend        = 2 * time.Second
	followPause        = 10 * time.Millisecond
	maxFollowPause     = time.Second
	followFailures     = 5 // from then on nobody waits for it to pass
)

func (c *TopicKeysConfig) fill() error {
	for _, d := range []struct {
		name  string
		value *time.Duration
		none  time.Duration
	}{
		{"Staleness", &c.Staleness, defaultStaleness}, {"Age", &c.Age, defaultKeyAge}, {"SegmentTime", &c.SegmentTime, defaultSegmentTime}, {"Mend", &c.Mend, defaultMend},
	} {
		if *d.value < 0 {
			return fmt.Errorf("%w: %s of a key topic is %v; give a positive time, or 0 for %v", errInput, d.name, *d.value, d.none)
		}
		if *d.value == 0 {
			*d.value = d.none
		}
	}
	if c.Copy == nil {
		c.Copy = NewMemoryCopy()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// OpenTopicKeys reads a key topic whole, and then follows it until Close. The log is the caller's, who closes it afterwards.
func OpenTopicKeys(ctx context.Context, log KeyLog, config TopicKeysConfig) (*TopicKeys, error) {
	if err := config.fill(); err != nil {
		return nil, err
	}
	if log.Partitions() < 1 {
		return nil, fmt.Errorf("%w: a key topic of %d partitions", errInput, log.Partitions())
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx)) // Close ends it
	k := &TopicKeys{
		log: log, copy: config.Copy, config: config, logger: config.Logger, next: make([]int64, log.Partitions()), moved: make(chan struct{}),
		stale: map[SubjectRef]bool{}, damaged: map[SubjectRef]error{}, change: make([]time.Time, log.Partitions()), end: end,
	}
	k.done.Go(func() { k.follow(life) })
	if err := k.sync(ctx); err != nil {
		k.Close()
		return nil, err
	}
	k.done.Go(func() { k.care(life) })
	return k, nil
}

// Close ends the following. The store is not used after it.
func (k *TopicKeys) Close() {
	k.end()
	k.done.Wait()
}

// follow reads the topic until ctx ends. What fails once or twice is tried again before anybody is refused.
func (k *TopicKeys) follow(ctx context.Context) {
	failures, pause := 0, followPause
	for ctx.Err() == nil {
		k.mu.Lock()
		from := append([]int64(nil), k.next...)
		k.mu.Unlock()
		err := k.log.Follow(ctx, from, k.take, func(partition int32, next int64) {
			failures, pause = 0, followPause
			k.passed(partition, next)
		})
		if ctx.Err() != nil {
			break
		}
		if failures++; failures >= followFailures {
			k.logger.ErrorContext(ctx, "the key topic cannot be followed; trying again", "error", err)
			k.halt(fmt.Errorf("%w: following the key topic: %w", ErrKeyUnavailable, err))
		}
		k.cut(unavailable(fmt.Errorf("crypto: the following of the key topic was cut: %w", err)))
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		pause = min(2*pause, maxFollowPause)
	}
	k.halt(errClosed)
	k.cut(errClosed)
}

// cut ends every watch: what came behind the last answer may be missed.
func (k *TopicKeys) cut(err error) {
	k.mu.Lock()
	known := k.asked
	k.mu.Unlock()
	k.watchers.cut(&watchCut{known, err})
}

// halt has everybody who waits for the topic know that it cannot be read.
func (k *TopicKeys) halt(trouble error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.trouble = trouble
	k.announceLocked()
}

var errClosed = fmt.Errorf("%w: the key store is closed", ErrKeyUnavailable)

func (k *TopicKeys) announceLocked() {
	close(k.moved)
	k.moved = make(chan struct{})
}

// take folds a record into the copy.
func (k *TopicKeys) take(partition int32, offset int64, key, value []byte) {
	r := &keyRecord{offset: offset, key: key, value: value}
	if subject, is := r.subjectOf(); is {
		k.fold(subject, r)
	}
	if !r.isTick() {
		k.mu.Lock()
		k.change[partition] = time.Now()
		k.mu.Unlock()
	}
}

// passed tells everybody that all below an offset is in the copy.
func (k *TopicKeys) passed(partition int32, next int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.next[partition] = max(k.next[partition], next)
	k.trouble = nil
	k.announceLocked()
}

func (k *TopicKeys) fold(subject SubjectRef, record *keyRecord) {
	row, err := k.known(subject)
	if err == nil {
		err = row.take(record)
	}
	var bytes []byte
	if err == nil {
		bytes = row.encode()
		err = k.copy.Put(subject, bytes)
	}
	k.mu.Lock()
	if err != nil {
		k.damaged[subject] = err
	} else if len(row.mending()) > 0 {
		k.stale[subject] = true
	}
	k.mu.Unlock()
	if err != nil {
		k.logger.Error("a record of the key topic cannot be used; its subject has no keys until it is mended", "subject_ref", fmt.Sprintf("%x", subject[:]),
			"offset", record.offset, "error", err)
		k.cut(unavailable(err))
		return
	}
	k.watchers.tell(bytes, record.offset)
}

// known gives what the copy says of a subject.
func (k *TopicKeys) known(subject SubjectRef) (*keyRow, error) {
	k.mu.Lock()
	damage := k.damaged[subject]
	k.mu.Unlock()
	if damage != nil {
		return nil, unavailable(damage)
	}
	b, err := k.copy.Get(subject)
	if err != nil {
		return nil, unavailable(err)
	}
	return rowOf(subject, b)
}

// recent gives what is known of a subject, no older than Age.
func (k *TopicKeys) recent(ctx context.Context, subject SubjectRef) (*keyRow, error) {
	if err := ctx.Err(); err != nil {
		return nil, unavailable(err)
	}
	k.mu.Lock()
	fresh := time.Since(k.asked) <= k.config.Age && k.trouble == nil
	k.mu.Unlock()
	if !fresh {
		if err := k.sync(ctx); err != nil {
			return nil, err
		}
	}
	return k.known(subject)
}

// latest gives what is known of a subject when everything is read that was written before the call.
func (k *TopicKeys) latest(ctx context.Context, subject SubjectRef) (*keyRow, error) {
	if err := k.sync(ctx); err != nil {
		return nil, err
	}
	return k.known(subject)
}

// sync returns when everything that was in the topic before the call is in the copy. Those who call beside each other ask together.
func (k *TopicKeys) sync(ctx context.Context) error {
	for waited := false; ; waited = true {
		k.mu.Lock()
		mine, others := &asking{done: make(chan struct{})}, k.asking
		if others == nil {
			k.asking = mine
		}
		k.mu.Unlock()
		if others == nil {
			mine.err = k.ask(ctx)
			k.mu.Lock()
			k.asking = nil
			k.mu.Unlock()
			close(mine.done)
			return mine.err
		}
		select {
		case <-others.done:
			if waited && others.err == nil { // the first question that was waited for was asked before this call
				return nil
			}
		case <-ctx.Done():
			return unavailable(ctx.Err())
		}
	}
}

// ask asks for the end and waits until the copy has come to it.
func (k *TopicKeys) ask(ctx context.Context) error {
	began := time.Now()
	ends, err := k.log.End(ctx)
	if err != nil {
		return unavailable(err)
	}
	for p, end := range ends {
		if err := k.reach(ctx, int32(p), end); err != nil {
			return err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if began.After(k.asked) {
		k.asked = began
	}
	return nil
}

// reach waits until everything below an offset is in the copy.
func (k *TopicKeys) reach(ctx context.Context, partition int32, offset int64) error {
	for {
		k.mu.Lock()
		there, trouble, moved := k.next[partition] >= offset, k.trouble, k.moved
		k.mu.Unlock()
		switch {
		case there:
			return nil
		case trouble != nil:
			return unavailable(trouble)
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return unavailable(ctx.Err())
		}
	}
}
