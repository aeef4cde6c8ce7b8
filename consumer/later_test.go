package consumer_test

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/kafka"
)

// decided does what a lane does with a Work: the commands that hold says wait, with what is behind them; the others are finished. What is
// consumed is committed with its metadata.
func (c *cluster) decided(m *member, w *consumer.Work, hold func(cmd *muster.Command) (wake time.Time, again bool)) []muster.Progress {
	c.t.Helper()
	progress := w.Progress()
	var waiting []muster.Waiting
	blocked := map[string]bool{}
	for i := range w.Commands {
		cmd := &w.Commands[i]
		wake, again := hold(cmd)
		if !again && (blocked[cmd.AggregateID] || cmd.Behind) {
			wake, again = time.Time{}, true
		}
		if again {
			tries := 0
			if cmd.Tries != nil {
				tries = cmd.Tries.Count
			}
			blocked[cmd.AggregateID] = true
			waiting = append(waiting, muster.Waiting{Index: i, Tries: muster.Tries{Count: tries + 1}, Wake: wake})
		}
		for p := range progress {
			if progress[p].Partition == cmd.Partition {
				progress[p].Consume(cmd.Offset, again)
			}
		}
	}
	c.commitProgress(m, progress)
	w.Wait(waiting)
	w.Done(len(w.Commands))
	return progress
}

func (c *cluster) commitProgress(m *member, progress []muster.Progress) {
	c.t.Helper()
	claim, err := m.Claim(partitionsOf(progress))
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.commitAll(within(c.t), claim, progress); err != nil {
		c.t.Fatal(err)
	}
}

func partitionsOf(progress []muster.Progress) (partitions []int32) {
	for _, p := range progress {
		partitions = append(partitions, p.Partition)
	}
	return partitions
}

// inOnePartition gives two aggregate ids of partition 0.
func (c *cluster) inOnePartition() (string, string) {
	var found []string
	for i := 0; len(found) < 2; i++ {
		if key := "acc-" + string(rune('a'+i)); kafka.Partition(key, c.group.Partitions()) == 0 {
			found = append(found, key)
		}
	}
	return found[0], found[1]
}

// waits lets the commands of one aggregate wait until a time.
func waits(aggregate string, until time.Time) func(*muster.Command) (time.Time, bool) {
	return func(cmd *muster.Command) (time.Time, bool) { return until, cmd.AggregateID == aggregate }
}

func none(*muster.Command) (time.Time, bool) { return time.Time{}, false }

// A command that waits holds up its aggregate and nothing else; it comes again when it is due, with all that stands behind it, in order.
func TestWaitingCommandsComeAgainInOrder(t *testing.T) {
	c := start(t, 1)
	a, b := c.inOnePartition()
	config, ahead := oneLane(c.config("a")), atomic.Int64{}
	config.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	m := run(t, config)
	m.serveAll(1)
	c.send(a, 0, 2)
	c.send(b, 2, 1)
	eventually(t, "all are there", func() bool { return m.Buffered() == 3 })
	due := time.Now().Add(time.Hour)
	c.decided(m, m.poll(0), waits(a, due))
	c.send(b, 3, 1)
	c.send(a, 4, 1)
	var others []string
	for len(others) < 2 {
		w := m.poll(0)
		for i := range w.Commands {
			cmd := &w.Commands[i]
			if others = append(others, string(cmd.Payload)); cmd.Behind != (cmd.AggregateID == a) {
				t.Errorf("%s of %s has Behind %v", cmd.Payload, cmd.AggregateID, cmd.Behind)
			}
		}
		c.decided(m, w, none)
	}
	if !slices.Equal(others, []string{"3", "4"}) {
		t.Fatalf("while others wait %v came", others)
	}
	if n := m.Waiting()[0]; n != 3 {
		t.Errorf("%d wait, want 3", n)
	}
	ahead.Store(int64(time.Hour))
	w := m.poll(0)
	if got := payloads(w.Commands)[0]; !slices.Equal(got, []string{"0", "1", "4"}) || w.Commands[0].Tries == nil || w.Commands[0].Tries.Count != 1 {
		t.Fatalf("%v came again, tried %+v", got, w.Commands[0].Tries)
	}
	if end := c.decided(m, w, none); len(end[0].Waiting) != 0 || m.Waiting()[0] != 0 {
		t.Errorf("progress %+v at the end", end)
	}
}

// A Work that is given back takes its waiting commands back, too.
func TestWaitingCommandsNotDoneComeAgain(t *testing.T) {
	c := start(t, 1)
	a, b := c.inOnePartition()
	m := run(t, oneLane(c.config("a")))
	m.serveAll(1)
	c.send(a, 0, 2)
	eventually(t, "both are there", func() bool { return m.Buffered() == 2 })
	c.decided(m, m.poll(0), waits(a, time.Now()))
	c.send(b, 2, 1)
	eventually(t, "the third is there", func() bool { return m.Buffered() == 1 })
	w := m.poll(0)
	if got := payloads(w.Commands)[0]; !slices.Equal(got, []string{"0", "1", "2"}) {
		t.Fatalf("%v came", got)
	}
	w.Done(1) // the first one only; nothing of it waits
	w = m.poll(0)
	if got := payloads(w.Commands)[0]; !slices.Equal(got, []string{"1", "2"}) {
		t.Fatalf("then %v came", got)
	}
	w.Done(2)
	if m.Waiting()[0] != 0 || m.Buffered() != 0 {
		t.Errorf("%v wait, %d are left", m.Waiting(), m.Buffered())
	}
}

// The next owner is handed out what waits, nothing else of what lies before the next offset, and all that comes after it.
func TestNextOwnerTakesUpWhatWaits(t *testing.T) {
	c := start(t, 1)
	a, b := c.inOnePartition()
	m := run(t, oneLane(c.config("a")))
	m.serveAll(1)
	c.send(b, 0, 3)
	c.send(a, 3, 2)
	c.send(b, 5, 3)
	eventually(t, "all are there", func() bool { return m.Buffered() == 8 })
	c.decided(m, m.poll(0), waits(a, time.Now().Add(time.Hour)))
	c.send(b, 8, 1)
	c.send(a, 9, 1)
	eventually(t, "two more are there", func() bool { return m.Buffered() == 2 })
	c.decided(m, m.poll(0), none)
	if err := m.Leave(within(t)); err != nil {
		t.Fatal(err)
	}
	c.send(b, 10, 2)

	heir := run(t, oneLane(c.config("b")))
	heir.serveAll(1)
	eventually(t, "what is left is there", func() bool { return heir.Buffered() == 5 })
	w := heir.poll(0)
	if got := payloads(w.Commands)[0]; !slices.Equal(got, []string{"3", "4", "9", "10", "11"}) {
		t.Fatalf("the heir gets %v", got)
	}
	want := []muster.Progress{{Partition: 0, Next: 10, Waiting: []int64{3, 4, 9}}}
	if got := w.Progress(); !reflect.DeepEqual(got, want) {
		t.Errorf("it finds %+v, want %+v", got, want)
	}
	if got := c.decided(heir, w, waits(b, time.Now().Add(time.Hour))); !reflect.DeepEqual(got, []muster.Progress{{Next: 12, Waiting: []int64{10, 11}}}) {
		t.Errorf("it leaves %+v", got)
	}
}

// An offset that somebody set by hand holds as it is, whatever the metadata says.
func TestOffsetSetByHandHolds(t *testing.T) {
	c := start(t, 1)
	a, _ := c.inOnePartition()
	c.send(a, 0, 5)
	name := c.config("a").Group.Name()
	for n, metadata := range []string{"", "muster1:0:4:", "kafka-mirror"} {
		var offsets kadm.Offsets
		offsets.Add(kadm.Offset{Topic: c.commands(), Partition: 0, At: 2, LeaderEpoch: -1, Metadata: metadata})
		eventually(t, "the group is empty", func() bool { return c.adm.CommitAllOffsets(within(t), name, offsets) == nil })
		m := run(t, oneLane(c.config("a")))
		m.serveAll(1)
		eventually(t, "three are there", func() bool { return m.Buffered() == 3 })
		if got := payloads(m.poll(0).Commands)[0]; !slices.Equal(got, numbers(2, 3)) {
			t.Errorf("case %d: %v came", n, got)
		}
		if err := m.Leave(within(t)); err != nil {
			t.Fatal(err)
		}
	}
}

// Waiting commands that retention has deleted are told and given up; they do not hold the committed offset for ever.
func TestWaitingCommandsTheLogHasLost(t *testing.T) {
	c := start(t, 1)
	a, b := c.inOnePartition()
	m := run(t, oneLane(c.config("a")))
	m.serveAll(1)
	c.send(a, 0, 3)
	c.send(b, 3, 2)
	eventually(t, "all are there", func() bool { return m.Buffered() == 5 })
	c.decided(m, m.poll(0), waits(a, time.Now().Add(time.Hour)))
	if err := m.Leave(within(t)); err != nil {
		t.Fatal(err)
	}
	var upTo kadm.Offsets
	upTo.Add(kadm.Offset{Topic: c.commands(), Partition: 0, At: 2})
	if _, err := c.adm.DeleteRecords(within(t), upTo); err != nil {
		t.Fatal(err)
	}
	told, config := newFaults(), oneLane(c.config("b"))
	config.OnFault = told.hear
	heir := run(t, config)
	heir.serveAll(1)
	if err := told.wait(t); !strings.Contains(err.Error(), "deleted before they were handled") {
		t.Errorf("told: %v", err)
	}
	w := heir.poll(0)
	if got := payloads(w.Commands)[0]; !slices.Equal(got, []string{"2"}) {
		t.Errorf("%v came", got)
	}
	if got := c.decided(heir, w, none); !reflect.DeepEqual(got, []muster.Progress{{Next: 5, Waiting: []int64{}}}) {
		t.Errorf("it leaves %+v", got)
	}
}

// While as many wait as may, nothing new of the partition is handed out; what waits is.
func TestCrowdedPartitionHandsOutNothingNew(t *testing.T) {
	c := start(t, 1)
	a, b := c.inOnePartition()
	config := oneLane(c.config("a"))
	config.MaxWaiting = 2
	var ahead atomic.Int64
	config.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	m := run(t, config)
	m.serveAll(1)
	c.send(a, 0, 2)
	eventually(t, "both are there", func() bool { return m.Buffered() == 2 })
	c.decided(m, m.poll(0), waits(a, time.Now().Add(time.Hour)))
	c.send(b, 2, 1)
	eventually(t, "the third is there", func() bool { return m.Buffered() == 1 })
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if w, err := m.Poll(short, 0); err == nil {
		t.Fatalf("%v came while others wait", payloads(w.Commands))
	}
	ahead.Store(int64(time.Hour))
	w := m.poll(0)
	if got := payloads(w.Commands)[0]; !slices.Equal(got, []string{"0", "1"}) {
		t.Fatalf("%v came", got)
	}
	c.decided(m, w, none)
	if got := payloads(m.poll(0).Commands)[0]; !slices.Equal(got, []string{"2"}) {
		t.Errorf("then %v came", got)
	}
}

// Waiting does not turn in circles: a lane with nothing due sleeps until something is.
func TestPollSleepsWhileNothingIsDue(t *testing.T) {
	c := start(t, 1)
	a, _ := c.inOnePartition()
	config, looks := oneLane(c.config("a")), make(chan struct{}, 1000)
	config.Now = func() time.Time {
		looks <- struct{}{}
		return time.Now()
	}
	m := run(t, config)
	m.serveAll(1)
	c.send(a, 0, 1)
	c.decided(m, m.poll(0), waits(a, time.Now().Add(500*time.Millisecond)))
	before := len(looks)
	m.poll(0)
	if n := len(looks) - before; n > 20 {
		t.Errorf("the clock was read %d times in half a second", n)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if w, err := m.Poll(ended, 0); err == nil {
		t.Errorf("%d commands came twice", len(w.Commands))
	}
}
