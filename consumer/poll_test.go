package consumer_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
)

// oneLane makes all partitions share lane 0.
func oneLane(c consumer.Config) consumer.Config {
	c.Lanes = 1
	return c
}

func TestCommandsComeInOrderAndAtOnce(t *testing.T) {
	c := start(t, 2)
	keys := c.keys()
	c.send(keys[0], 0, 300)
	c.send(keys[1], 0, 7)
	m := run(t, oneLane(c.config("a")))
	m.serveAll(2)
	eventually(t, "everything is buffered", func() bool { return m.Lag()[0] == 300 && m.Buffered() == 307 })

	w := m.poll(0)
	want := map[int32][]string{0: numbers(0, 300), 1: numbers(0, 7)}
	if got := payloads(w.Commands); !reflect.DeepEqual(got, want) {
		t.Fatalf("one Work holds %d and %d commands; want all 300 and 7, in order", len(got[0]), len(got[1]))
	}
	if err := c.commit(within(t), m.Consumer, w.Commands); err != nil {
		t.Fatal(err)
	}
	w.Done(len(w.Commands))
	if lag := m.Lag(); lag[0] != 0 || lag[1] != 0 {
		t.Fatalf("lag is %v after everything was handed out", lag)
	}

	m.stop()
	<-m.done
	c.send(keys[0], 300, 1)
	again := run(t, oneLane(c.config("a")))
	again.serveAll(2)
	if got := payloads(again.poll(0).Commands); !reflect.DeepEqual(got, map[int32][]string{0: {"300"}}) {
		t.Fatalf("after a restart %v came; want what was not committed only", got)
	}
}

func TestNothingIsHandedOutBeforeServe(t *testing.T) {
	c := start(t, 1)
	c.send(c.keys()[0], 0, 1)
	m := run(t, oneLane(c.config("a")))
	ch := m.change()
	eventually(t, "the command is buffered", func() bool { return m.Buffered() == 1 })
	ended, cancel := context.WithCancel(t.Context())
	polled := make(chan error, 1)
	go func() {
		w, err := m.Poll(ended, 0)
		if w != nil {
			err = errors.New("a command came before Serve")
		}
		polled <- err
	}()
	cancel()
	if err := <-polled; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	ch.Serve(0)
	m.poll(0).Done(1)
}

func TestWhatIsNotDoneComesAgain(t *testing.T) {
	c := start(t, 1)
	c.send(c.keys()[0], 0, 5)
	m := run(t, oneLane(c.config("a")))
	m.serveAll(1)
	eventually(t, "all is buffered", func() bool { return m.Buffered() == 5 })
	m.poll(0).Done(2)
	w := m.poll(0)
	if got := payloads(w.Commands)[0]; !slices.Equal(got, numbers(2, 3)) {
		t.Fatalf("came again: %v; want 2, 3, 4", got)
	}
	w.Done(0)
	w.Done(3) // too late
	if got := payloads(m.poll(0).Commands)[0]; !slices.Equal(got, numbers(2, 3)) {
		t.Fatalf("came again: %v; want 2, 3, 4", got)
	}
}

func TestBoundsAreSharedFairly(t *testing.T) {
	c := start(t, 3)
	keys := c.keys()
	c.send(keys[0], 0, 500)
	c.send(keys[1], 0, 10)
	c.send(keys[2], 0, 500)
	config := oneLane(c.config("a"))
	config.BatchRecords = 90
	m := run(t, config)
	m.serveAll(3)
	eventually(t, "all is buffered", func() bool { return m.Buffered() == 1010 })
	w := m.poll(0)
	got := payloads(w.Commands)
	if len(w.Commands) != 90 || len(got[1]) != 10 || len(got[0]) < 30 || len(got[2]) < 30 {
		t.Fatalf("%d, %d and %d commands were handed out; want 90 in all, the 10 of the short partition and at least 30 of each long one",
			len(got[0]), len(got[1]), len(got[2]))
	}
	w.Done(len(w.Commands))
	for seen := 90; seen < 1010; {
		w := m.poll(0)
		seen += len(w.Commands)
		w.Done(len(w.Commands))
	}
}

func TestBytesBoundABatch(t *testing.T) {
	c := start(t, 1)
	key := c.keys()[0]
	large := strings.Repeat("x", 6000)
	c.write(c.record(key, large), c.record(key, large+"x"), c.record(key, strings.Repeat("y", 50000)), c.record(key, "z"))
	config := oneLane(c.config("a"))
	config.BatchBytes = 20_000
	m := run(t, config)
	m.serveAll(1)
	eventually(t, "all is buffered", func() bool { return m.Buffered() == 4 })
	for _, want := range []int{2, 1, 1} { // two fit, the one above the bound goes alone, then the rest
		w := m.poll(0)
		if len(w.Commands) != want {
			t.Fatalf("%d commands in a Work; want %d", len(w.Commands), want)
		}
		w.Done(want)
	}
}

func TestAFaultyRecordIsACommandWithAFault(t *testing.T) {
	c := start(t, 1)
	key := c.keys()[0]
	c.write(&kgo.Record{Topic: c.commands(), Value: []byte("no key")})
	c.send(key, 0, 1)
	m := run(t, oneLane(c.config("a")))
	m.serveAll(1)
	eventually(t, "both are buffered", func() bool { return m.Buffered() == 2 })
	w := m.poll(0)
	if f := w.Commands[0].Fault; f == nil || f.Reason != muster.ReasonBadID {
		t.Fatalf("fault of a record without a key: %v", f)
	}
	if w.Commands[1].Fault != nil {
		t.Fatal(w.Commands[1].Fault)
	}
}

func TestPollEndsWithRun(t *testing.T) {
	c := start(t, 1)
	m := run(t, c.config("a"))
	m.serveAll(1)
	polled := make(chan error, 1)
	go func() {
		_, err := m.Poll(t.Context(), 0)
		polled <- err
	}()
	m.stop()
	if err := <-polled; !errors.Is(err, muster.ErrShuttingDown) {
		t.Fatalf("Poll gave %v; want ErrShuttingDown", err)
	}
	<-m.done
	if m.err != nil {
		t.Fatal(m.err)
	}
	if _, open := <-m.Changes(); open {
		t.Fatal("Changes is not closed")
	}
	if _, err := m.Claim([]int32{0}); !errors.Is(err, muster.ErrFenced) {
		t.Fatalf("Claim after Run gave %v; want ErrFenced", err)
	}
	if err := m.Run(t.Context()); !errors.Is(err, muster.ErrShuttingDown) {
		t.Fatalf("a second Run gave %v", err)
	}
}

func TestAnUnknownLaneIsRefused(t *testing.T) {
	c := start(t, 1)
	m := run(t, c.config("a"))
	for _, lane := range []int{-1, m.Lanes()} {
		if _, err := m.Poll(t.Context(), lane); err == nil {
			t.Fatalf("lane %d was accepted", lane)
		}
	}
}

// A backlog is split: while one half of the partitions is in hand, PollBacklog gives the other half; it waits while there is less than a batch.
func TestBacklogIsSplit(t *testing.T) {
	const partitions, batch, each = 4, 100, 60
	c := start(t, partitions)
	keys := c.keys()
	for p := range partitions {
		c.send(keys[p], 0, each)
	}
	cfg := oneLane(c.config("a"))
	cfg.BatchRecords = batch
	m := run(t, cfg)
	m.serveAll(partitions)
	eventually(t, "everything is buffered", func() bool { return m.Buffered() == partitions*each })

	first := m.poll(0)
	second, err := m.PollBacklog(within(t), 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(first.Commands) != batch || len(second.Commands) != batch {
		t.Fatalf("the batches hold %d and %d commands; want %d each", len(first.Commands), len(second.Commands), batch)
	}
	for _, p := range second.Partitions() {
		if slices.Contains(first.Partitions(), p) {
			t.Fatalf("partition %d is in both hands: %v, %v", p, first.Partitions(), second.Partitions())
		}
	}

	polled := make(chan *consumer.Work, 1)
	go func() {
		w, _ := m.PollBacklog(t.Context(), 0)
		polled <- w
	}()
	first.Done(batch)
	if rest := m.poll(0); len(rest.Commands) != 2*each-batch {
		t.Fatalf("%d commands came after the first batch was done; want the %d left of its partitions", len(rest.Commands), 2*each-batch)
	}
	select {
	case w := <-polled:
		t.Fatalf("PollBacklog gave %d commands, less than a batch", len(w.Commands))
	default:
	}
	second.Done(batch)
	c.send(keys[0], each, 2*batch)
	c.send(keys[1], each, 2*batch)
	if w := <-polled; len(w.Commands) != batch {
		t.Fatalf("PollBacklog gave %d commands; want a whole batch", len(w.Commands))
	}
}

// With Narrow every Work holds one partition, so several can be in hand.
func TestNarrowWorkHoldsOnePartition(t *testing.T) {
	c := start(t, 3)
	keys := c.keys()
	for p := range 3 {
		c.send(keys[p], 0, 5)
	}
	cfg := oneLane(c.config("a"))
	cfg.Narrow = true
	m := run(t, cfg)
	m.serveAll(3)
	eventually(t, "everything is buffered", func() bool { return m.Buffered() == 15 })
	seen := map[int32]bool{}
	for range 3 {
		w := m.poll(0)
		if len(w.Partitions()) != 1 || len(w.Commands) != 5 {
			t.Fatalf("a Work holds %d commands of %v", len(w.Commands), w.Partitions())
		}
		seen[w.Partitions()[0]] = true
	}
	if len(seen) != 3 {
		t.Fatalf("three Works held %v", seen)
	}
}
