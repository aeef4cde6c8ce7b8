package consumer_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
)

// subscription reads all of the journal without a consumer group.
func (c *cluster) subscription(deliver func(context.Context, *muster.Event, error) (bool, error)) consumer.SubscriberConfig {
	return consumer.SubscriberConfig{
		Kafka: c.kafka, Reading: muster.Reading{Group: c.group, Start: muster.StartEarliest}, Deliver: deliver,
	}
}

// subscribed is a subscriber that runs.
type subscribed struct {
	*consumer.Subscriber
	t    testing.TB
	stop context.CancelFunc
	done chan error
}

func subscribe(t testing.TB, config consumer.SubscriberConfig) *subscribed {
	t.Helper()
	reader, err := consumer.OpenSubscriber(within(t), config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &subscribed{Subscriber: reader, t: t, stop: cancel, done: make(chan error, 1)}
	go func() { s.done <- reader.Run(ctx) }()
	return s
}

// ended gives what Run returned.
func (s *subscribed) ended() error {
	s.t.Helper()
	select {
	case err := <-s.done:
		return err
	case <-time.After(patience):
		s.t.Fatal("Run did not end")
		return nil
	}
}

// until waits for a condition.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ctx := within(t)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		}
	}
}

// What waits for a slow Deliver is bounded, however much there is; nothing of it is lost.
func TestASlowSubscriberHoldsABoundedPart(t *testing.T) {
	c := start(t, 1)
	const events, size, bound = 200, 100 << 10, 256 << 10
	for first := 1; first <= events; first += 5 {
		var records []*kgo.Record
		for r := first; r < first+5; r++ {
			e := c.event(uint64(r))
			e.Value = make([]byte, size) // random, for what is compressed counts as sent until it has arrived
			_, _ = rand.Read(e.Value)
			records = append(records, e)
		}
		c.write(records...)
	}
	open := make(chan struct{})
	var got revisions
	config := c.subscription(func(_ context.Context, e *muster.Event, _ error) (bool, error) {
		<-open
		return false, got.take([]muster.Event{*e})
	})
	config.BufferBytes = bound
	slow := subscribe(t, config)
	until(t, "fetching is paused", func() bool { _, paused := slow.BufferedBytes(); return paused })
	quick := 0
	config = c.subscription(func(context.Context, *muster.Event, error) (bool, error) { quick++; return false, nil })
	config.Reading.UntilEnd = true
	if err := subscribe(t, config).ended(); err != nil || quick != events {
		t.Errorf("the quick one: %d events, %v", quick, err)
	}
	if n, paused := slow.BufferedBytes(); n > 5<<20 || !paused { // the bound and the fetches in flight; all of it is 20 MiB
		t.Errorf("%d bytes are held, paused %v", n, paused)
	}
	if lag := slow.Lag()[0]; lag != events {
		t.Errorf("lag %d; want %d", lag, events)
	}
	close(open)
	until(t, "all is delivered", func() bool { return slow.Lag()[0] == 0 })
	slow.stop()
	if err := slow.ended(); err != nil {
		t.Error(err)
	}
	for i, r := range got {
		if r != uint64(i+1) || len(got) != events {
			t.Fatalf("%d events, at place %d revision %d", len(got), i, r)
		}
	}
}

// The lag is zero when all is delivered, also where the journal ends with markers and aborted events.
func TestASubscriberLagsByNothingAtTheEnd(t *testing.T) {
	c := start(t, 1)
	client := c.transactor("t")
	c.begin(client, c.event(1), c.event(2))
	c.finish(client, kgo.TryCommit)
	c.begin(client, c.event(3))
	c.finish(client, kgo.TryAbort)
	var n atomic.Int32
	var told atomic.Int64
	told.Store(-1)
	config := c.subscription(func(context.Context, *muster.Event, error) (bool, error) { n.Add(1); return false, nil })
	config.Lag = told.Store
	s := subscribe(t, config)
	until(t, "the lag is told as zero", func() bool { return told.Load() == 0 })
	s.stop()
	if err := s.ended(); err != nil || n.Load() != 2 {
		t.Errorf("%d events, %v; want 2", n.Load(), err)
	}
}

// One event that is in hand for long is told once, with the partition, though nothing else waits.
func TestAHangingDeliverIsTold(t *testing.T) {
	c := start(t, 1)
	c.write(c.event(1))
	told := &lines{}
	config := c.subscription(func(ctx context.Context, _ *muster.Event, _ error) (bool, error) {
		<-ctx.Done()
		return false, ctx.Err()
	})
	config.DrainTimeout, config.SlowAfter, config.Logger = time.Millisecond, time.Millisecond, slog.New(slog.NewTextHandler(told, nil))
	s := subscribe(t, config)
	until(t, "the log says so", func() bool { return strings.Contains(told.String(), "a subscription is slow") })
	s.stop()
	if err := s.ended(); err != nil {
		t.Error(err)
	}
	if text := told.String(); strings.Count(text, "is slow") != 1 || !strings.Contains(text, "one_event_in_hand=true") || !strings.Contains(text, "lag=1") {
		t.Errorf("the log says\n%s", text)
	}
}

// lines is a log to look into.
type lines struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// A Deliver that ignores the end gets its time, then its context ends, then Run returns.
func TestASubscriberDrains(t *testing.T) {
	c := start(t, 1)
	c.write(c.event(1))
	began, ended := make(chan struct{}), make(chan error, 1)
	config := c.subscription(func(ctx context.Context, _ *muster.Event, _ error) (bool, error) {
		close(began)
		<-ctx.Done()
		ended <- ctx.Err()
		return false, ctx.Err()
	})
	config.DrainTimeout = 50 * time.Millisecond
	s := subscribe(t, config)
	<-began
	s.stop()
	if err := s.ended(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the context ended with %v", err)
	}
	if err := s.Run(t.Context()); !errors.Is(err, muster.ErrShuttingDown) {
		t.Errorf("a second Run: %v", err)
	}
}

func TestSubscriberConfigReportsAllFaults(t *testing.T) {
	faulty := consumer.SubscriberConfig{
		Reading: muster.Reading{Group: muster.NewGroup("g"), Start: 9, UntilEnd: true}, ConsumerGroup: "x",
		BufferBytes: -1, SessionTimeout: 1, RevokeTimeout: time.Hour, DrainTimeout: -1,
	}
	err := faulty.Validate()
	for _, part := range []string{"Deliver", "start 9", "UntilEnd", "BufferBytes", "SessionTimeout", "RevokeTimeout", "DrainTimeout"} {
		if err == nil || !bytes.Contains([]byte(err.Error()), []byte(part)) {
			t.Errorf("no word about %s in %v", part, err)
		}
	}
}
