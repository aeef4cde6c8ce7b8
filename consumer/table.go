package consumer

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// Table is a small compacted topic of one partition, read whole and followed: all who have it open see the same entries, in the order they
// were written. Its methods may be called by any goroutine.
type Table struct {
	config kafka.Config
	log    *slog.Logger
	topic  string
	client *kgo.Client
	adm    *kadm.Client
	id     kadm.TopicID // written by OpenTable; zero until then

	mu      sync.Mutex            // guards what follows
	entries map[string]TableEntry // replaced as a whole at a change, so that readers may keep it
	next    int64                 // everything below is in entries
	want    int64                 // somebody waits until next is there
	kick    context.CancelFunc    // ends the poll under way
	moved   chan struct{}         // closed and replaced when next or entries change, or failure is set
	failure error                 // why it is followed no more

	end  context.CancelFunc
	done chan struct{} // closed when the goroutine that follows has returned
}

// TableEntry is the value of a key.
type TableEntry struct {
	Value  []byte
	Number int64 // of the write, growing; it is the offset
	Time   time.Time
}

const (
	maxTableKey   = 1000
	maxTableValue = 900 << 10
)

// OpenTable reads the topic and returns when everything that was there is read. The caller closes it.
func OpenTable(ctx context.Context, config kafka.Config, topic string, logger *slog.Logger) (*Table, error) {
	client, err := config.Client(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // what was deleted was overwritten
		kgo.FetchIsolationLevel(kgo.ReadUncommitted()),    // it is written outside of transactions
		kgo.FetchMaxWait(fetchWait),
		kgo.MetadataMinAge(metadataAge),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0),
	)
	if err != nil {
		return nil, err
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	t := &Table{
		config: config, log: orDiscard(logger), topic: topic, client: client, adm: kadm.NewClient(client), entries: map[string]TableEntry{},
		kick: func() {}, moved: make(chan struct{}), end: end, done: make(chan struct{}),
	}
	go t.run(life)
	if err = mayRead(ctx, config, client, topic); err == nil {
		err = whenSettled(ctx, func() error { return t.Sync(ctx) })
	}
	if err == nil {
		t.id, err = t.topicID(ctx)
	}
	if err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

func (t *Table) topicID(ctx context.Context) (kadm.TopicID, error) {
	topics, err := t.adm.ListTopics(ctx, t.topic)
	if err == nil {
		err = topics[t.topic].Err
	}
	if err != nil {
		return kadm.TopicID{}, t.config.Map("look at "+t.topic, err, kafka.On(kafka.TopicResource, t.topic, "Describe")...)
	}
	return topics[t.topic].ID, nil
}

// Close ends the following and the connection.
func (t *Table) Close() {
	t.end()
	<-t.done
	t.client.Close()
}

// Entries gives the table as far as it is known here, and a channel that is closed when there is more. The map must not be changed.
func (t *Table) Entries() (map[string]TableEntry, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.entries, t.moved
}

// Put writes an entry and returns its number when all in-sync replicas have it; a nil value removes the key. With the error of ctx, or one
// that says Unavailable, it may have been written all the same.
func (t *Table) Put(ctx context.Context, key string, value []byte) (number int64, err error) {
	if key == "" || len(key) > maxTableKey || len(value) > maxTableValue {
		return 0, muster.Errorf(muster.InvalidArgument, "%s: a key of %d bytes with a value of %d; keys have 1 to %d, values %d at most",
			t.topic, len(key), len(value), maxTableKey, maxTableValue)
	}
	record := &kgo.Record{Topic: t.topic, Partition: 0, Key: []byte(key), Value: value}
	err = write(ctx, t.client, record)
	if errors.Is(err, kerr.UnknownTopicID) {
		t.fail(t.madeAgain())
		return 0, t.Failure()
	}
	if err != nil {
		return 0, t.config.Map("write to "+t.topic, err, kafka.On(kafka.TopicResource, t.topic, "Write")...)
	}
	return record.Offset, nil
}

// Failure gives the reason the topic is followed no more, as that it was made again; nil while it is.
func (t *Table) Failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failure
}

// Sync returns when everything written before the call is in Entries.
func (t *Table) Sync(ctx context.Context) error {
	ends, err := t.adm.ListEndOffsets(ctx, t.topic)
	var end int64
	if err == nil {
		end, err = listed(ends, t.topic, 0)
	}
	if err != nil {
		return t.config.Map("end of "+t.topic, err, kafka.On(kafka.TopicResource, t.topic, "Read")...)
	}
	t.mu.Lock()
	t.want = max(t.want, end)
	t.kick() // the poll under way may wait for more than there is
	shorter := end < t.next
	t.mu.Unlock()
	if shorter && t.id != (kadm.TopicID{}) { // a new leader may be behind for a moment, too
		if id, err := t.topicID(ctx); err == nil && id != t.id {
			t.fail(t.madeAgain())
			return t.Failure()
		}
	}
	for {
		t.mu.Lock()
		there, failure, moved := t.next >= end, t.failure, t.moved
		t.mu.Unlock()
		switch {
		case there:
			return nil
		case failure != nil:
			return failure
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return t.config.Map("read "+t.topic, ctx.Err())
		}
	}
}

// run follows the topic until ctx ends or the topic is another one.
func (t *Table) run(ctx context.Context) {
	defer close(t.done)
	defer t.fail(muster.ErrShuttingDown)
	told := ""
	for ctx.Err() == nil {
		patience := time.Hour
		t.mu.Lock()
		if t.next < t.want {
			patience = stallInterval
		}
		poll, kick := context.WithTimeout(ctx, patience)
		t.kick = kick
		t.mu.Unlock()
		fetches := t.client.PollFetches(poll)
		late := errors.Is(poll.Err(), context.DeadlineExceeded)
		kick()
		if ctx.Err() != nil {
			return
		}
		faulty := false
		fetches.EachError(func(topic string, _ int32, err error) {
			switch {
			case topic == "": // the end of the poll
			case errors.Is(err, kerr.UnknownTopicID):
				t.fail(t.madeAgain())
			default:
				faulty = true
				if text := err.Error(); text != told {
					told = text
					t.log.ErrorContext(ctx, "a topic that is followed cannot be read; trying again", "topic", t.topic,
						"error", t.config.Map("read "+t.topic, err, kafka.On(kafka.TopicResource, t.topic, "Read")...))
				}
			}
		})
		t.take(fetches)
		if late {
			t.pass(ctx)
		}
		if faulty {
			_ = pause(ctx, retryInterval)
		}
	}
}

// take puts what a poll brought into the table.
func (t *Table) take(fetches kgo.Fetches) {
	if fetches.NumRecords() == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	entries := maps.Clone(t.entries)
	fetches.EachRecord(func(r *kgo.Record) {
		if r.Offset < t.next {
			return // from before a reset to the start
		}
		t.next = r.Offset + 1
		if r.Value == nil {
			delete(entries, string(r.Key))
		} else {
			entries[string(r.Key)] = TableEntry{Value: r.Value, Number: r.Offset, Time: r.Timestamp}
		}
	})
	t.entries = entries
	t.announceLocked()
}

// pass moves over a tail that compaction has left empty: nothing ever comes from there.
func (t *Table) pass(ctx context.Context) {
	t.mu.Lock()
	next, want := t.next, t.want
	t.mu.Unlock()
	if next >= want {
		return
	}
	to := next
	found, err := probe(ctx, t.client, t.topic, 0, next)
	switch {
	case err == nil:
		to = skip(found, next, want)
	case errors.Is(err, kerr.OffsetOutOfRange): // the beginning was cut off
		if lows, err := t.adm.ListStartOffsets(ctx, t.topic); err == nil {
			low, _ := listed(lows, t.topic, 0)
			to = max(to, low)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.next == next && to > next {
		t.next = to
		t.announceLocked()
	}
}

func (t *Table) madeAgain() error {
	return muster.Errorf(muster.Unavailable, "%s was deleted and made again, and what is written to it is not heard of here; restart the service, so that it reads the new one", t.topic)
}

func (t *Table) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failure != nil {
		return
	}
	t.failure = err
	t.announceLocked()
	if !errors.Is(err, muster.ErrShuttingDown) {
		t.log.Error("a control topic is followed no more", "topic", t.topic, "error", err)
	}
}

func (t *Table) announceLocked() {
	close(t.moved)
	t.moved = make(chan struct{})
}
