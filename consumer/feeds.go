package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// FeedsConfig says whose journals are read by [Feeds]. Kafka and Groups must be set.
type FeedsConfig struct {
	// Kafka says how to reach the cluster.
	Kafka kafka.Config

	// Groups are those whose journals may be read.
	Groups []*muster.Group

	// Foreign hears of records that the toolkit did not write. They are passed over. It is called by several goroutines at once. Nil means
	// that they are only logged.
	Foreign func(group string, at muster.Position)

	// BufferBytes is how much memory the events of one partition may take that have arrived and were not asked for. Above it fetching from
	// that partition pauses; it resumes at half. What a fetch in flight brings is added. Zero means 16 MiB.
	BufferBytes int

	// Logger receives what an operator should know. Nil means that nothing is logged.
	Logger *slog.Logger
}

// Validate returns all faults of the configuration joined into one error, or nil.
func (c FeedsConfig) Validate() error {
	faults := []error{c.Kafka.Validate()}
	if len(c.Groups) == 0 {
		faults = append(faults, errors.New("consumer: Groups is empty; give the groups whose journals are read"))
	}
	for _, g := range c.Groups {
		faults = append(faults, g.Validate())
	}
	if c.BufferBytes < 0 {
		faults = append(faults, fmt.Errorf("consumer: BufferBytes is %d; choose 1 or more, or 0 for %d", c.BufferBytes, defaultFeedBytes))
	}
	return errors.Join(faults...)
}

func (c FeedsConfig) bufferBytes() int { return orDefault(c.BufferBytes, defaultFeedBytes) }

const (
	// defaultFeedBytes is several fetches: what a fetch brought for a partition that is paused meanwhile has to be fetched again, and small records
	// take several times their compressed size.
	defaultFeedBytes = 16 << 20

	// roomBytes is what the buffers that are still being fetched may hold together before the poll waits for their readers, which is cheaper than
	// to pause all of them.
	roomBytes = 48 << 20
	// roomWait bounds that wait, so that one reader that stands still is paused and does not hold up the others.
	roomWait = 20 * time.Millisecond
)

// Source is one partition of one journal.
type Source struct {
	Topic     string
	Partition int32
}

// String gives topic[partition].
func (s Source) String() string { return fmt.Sprintf("%s[%d]", s.Topic, s.Partition) }

// Feeds reads partitions of journals over one connection, committed events only, each as part of a [Feed]. Partitions come and go while
// others are read. Its methods may be called by any goroutine.
//
// One goroutine polls, files what has come in the buffers of the partitions, and adds and removes partitions between two polls, so that what
// a poll brings always belongs to the partitions as they are then. Decoding is left to who asks a feed. A reader that is slow pauses the
// fetching of its own partitions.
type Feeds struct {
	config FeedsConfig
	log    *slog.Logger
	client *kgo.Client
	adm    *kadm.Client
	spares *spares                  // the client's
	groups map[string]*muster.Group // by journal topic; read-only

	mu      sync.Mutex         // guards what follows, and the fields of taps and feeds that say so
	taken   map[Source]*Feed   // who reads what: Open adds, Close of a feed removes
	taps    map[Source]*tap    // what is fetched; the poll goroutine adds and removes
	pending []feedChange       // what Open and Close want of the poll goroutine
	kick    context.CancelFunc // ends the poll under way
	active  int                // bytes in the buffers of taps that are not full
	remade  map[string]bool    // topics that were made again: the client knows the old ones until they are purged
	told    string             // the last error of a fetch, so that a retry does not tell it again
	closed  bool

	room chan struct{} // room for one: buffers have emptied
	end  context.CancelFunc
	done chan struct{} // closed when the poll goroutine has returned
}

// feedChange is a wish for the poll goroutine: to read taps, or to stop.
type feedChange struct {
	add  bool
	taps []*tap
}

// OpenFeeds checks the configuration and starts to poll; nothing is read until a feed is opened. It does not wait for a broker. The caller
// closes it; the end of ctx does not.
func OpenFeeds(ctx context.Context, config FeedsConfig) (*Feeds, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	again := &spares{}
	client, err := config.Kafka.Client(
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // see fault
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // so that positions move over markers and what was aborted before them
		kgo.FetchMaxWait(fetchWait),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchPartitionBytes/2),
		kgo.MetadataMinAge(metadataAge),
		kgo.WithPools(again),
	)
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(context.WithoutCancel(ctx))
	f := &Feeds{
		config: config, log: orDiscard(config.Logger), client: client, spares: again, adm: kadm.NewClient(client), groups: map[string]*muster.Group{},
		taken: map[Source]*Feed{}, taps: map[Source]*tap{}, remade: map[string]bool{}, kick: func() {}, room: make(chan struct{}, 1), end: end, done: make(chan struct{}),
	}
	for _, g := range config.Groups {
		f.groups[g.JournalTopic(config.Kafka.Prefix)] = g
	}
	go f.run(ctx)
	return f, nil
}

// Close ends all feeds and the connection, and waits for the poll goroutine. The second call does nothing.
func (f *Feeds) Close() {
	f.mu.Lock()
	f.closed = true
	for _, feed := range f.taken {
		feed.failLocked(muster.ErrShuttingDown)
	}
	f.mu.Unlock()
	f.end()
	<-f.done
	f.client.Close()
}

// Open reads sources from the given offsets on, until the feed is closed. A source is read by one feed at a time. [ErrDataLoss]: a journal
// ends before its offset, or its beginning was cut behind it.
func (f *Feeds) Open(ctx context.Context, from map[Source]int64) (*Feed, error) {
	feed := &Feed{feeds: f, wake: make(chan struct{}, 1)}
	for source, offset := range from {
		g := f.groups[source.Topic]
		if g == nil || source.Partition < 0 || source.Partition >= g.Partitions() {
			return nil, muster.Errorf(muster.InvalidArgument, "%v is no partition of a journal that is read here", source)
		}
		feed.taps = append(feed.taps, &tap{feed: feed, source: source, group: g, next: offset, given: offset})
	}
	slices.SortFunc(feed.taps, func(a, b *tap) int { return compareSources(a.source, b.source) })
	if err := f.check(ctx, feed.taps); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, muster.ErrShuttingDown
	}
	for source := range from {
		if f.taken[source] != nil {
			return nil, muster.Errorf(muster.FailedPrecondition, "%v is read by another feed; close that one first", source)
		}
	}
	for source := range from {
		f.taken[source] = feed
	}
	f.wantLocked(feedChange{add: true, taps: feed.taps})
	return feed, nil
}

// wantLocked leaves a wish to the poll goroutine.
func (f *Feeds) wantLocked(c feedChange) {
	f.pending = append(f.pending, c)
	f.kick()
	signal(f.room)
}

// run polls until ctx ends.
func (f *Feeds) run(ctx context.Context) {
	defer close(f.done)
	for ctx.Err() == nil {
		f.apply()
		poll, kick := context.WithCancel(ctx)
		f.mu.Lock()
		f.kick = kick
		if len(f.pending) > 0 {
			kick()
		}
		f.mu.Unlock()
		fetches := f.client.PollFetches(poll)
		kick()
		f.take(ctx, fetches)
		f.breathe(ctx)
	}
}

// apply does what Open and Close have asked for, in that order.
func (f *Feeds) apply() {
	f.mu.Lock()
	pending := f.pending
	f.pending = nil
	f.mu.Unlock()
	for _, c := range pending {
		if c.add {
			f.add(c.taps)
		} else {
			f.remove(c.taps)
		}
	}
}

func (f *Feeds) add(taps []*tap) {
	from := map[string]map[int32]kgo.Offset{}
	var remade []string
	f.mu.Lock()
	for _, t := range taps {
		if f.remade[t.source.Topic] { // who read the old one has been told so
			delete(f.remade, t.source.Topic)
			remade = append(remade, t.source.Topic)
		}
		f.taps[t.source] = t
		if from[t.source.Topic] == nil {
			from[t.source.Topic] = map[int32]kgo.Offset{}
		}
		from[t.source.Topic][t.source.Partition] = kgo.NewOffset().At(t.next)
	}
	f.mu.Unlock()
	if len(remade) > 0 {
		f.client.PurgeTopicsFromClient(remade...)
	}
	f.client.AddConsumePartitions(from)
}

func (f *Feeds) remove(taps []*tap) {
	gone := map[string][]int32{}
	f.mu.Lock()
	for _, t := range taps {
		delete(f.taps, t.source)
		t.emptyLocked()
		gone[t.source.Topic] = append(gone[t.source.Topic], t.source.Partition)
	}
	f.mu.Unlock()
	f.client.ResumeFetchPartitions(gone) // a pause does not outlive the reading
	f.client.RemoveConsumePartitions(gone)
}

// take files what one poll brought.
func (f *Feeds) take(ctx context.Context, fetches kgo.Fetches) {
	faulty := false
	fetches.EachError(func(topic string, partition int32, err error) {
		if topic != "" && !errors.Is(err, context.Canceled) {
			faulty = f.fault(ctx, Source{topic, partition}, err) || faulty
		}
	})
	f.mu.Lock()
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if t := f.taps[Source{p.Topic, p.Partition}]; t != nil && len(p.Records) > 0 {
			t.receiveLocked(p.Records, p.HighWatermark)
			f.told = ""
		}
	})
	f.mu.Unlock()
	if faulty {
		_ = pause(ctx, retryInterval) // the client has no pause of its own after some of them; the caller sees the end of ctx
	}
}

// breathe lets the readers catch up while much is buffered.
func (f *Feeds) breathe(ctx context.Context) {
	limit := time.NewTimer(roomWait)
	defer limit.Stop()
	for {
		f.mu.Lock()
		wait := f.active > roomBytes && len(f.pending) == 0
		f.mu.Unlock()
		if !wait {
			return
		}
		select {
		case <-f.room:
		case <-limit.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
