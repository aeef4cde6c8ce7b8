package consumer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-3eec0498/muster/consumer"
)

// lead makes brokers lead the journal: partition p is led by leaders[p].
func (c *cluster) lead(leaders ...int32) {
	c.t.Helper()
	for p, leader := range leaders {
		if err := c.fake.MoveTopicPartition(c.events(), int32(p), leader); err != nil {
			c.t.Fatal(err)
		}
	}
}

// laneOf finds the lane a command of the partition comes from.
func (m *member) laneOf(c *cluster, partition int32) int {
	m.t.Helper()
	c.send(c.keys()[partition], 0, 1)
	found := make(chan int, m.Lanes())
	ctx, stop := context.WithCancel(within(m.t))
	var polling sync.WaitGroup
	for lane := range m.Lanes() {
		polling.Go(func() {
			w, err := m.Poll(ctx, lane)
			if err == nil {
				found <- lane
				w.Done(len(w.Commands))
			}
		})
	}
	lane := -1
	select {
	case lane = <-found:
	case <-ctx.Done():
		m.t.Error("the command came from no lane")
	}
	stop()
	polling.Wait()
	return lane
}

func TestALaneIsALeaderOfTheJournal(t *testing.T) {
	c := startEmbedded(t, 6)
	c.lead(0, 1, 2, 0, 1, 2)
	m := run(t, c.config("a"))
	m.serveAll(6)
	if m.Lanes() != 4 {
		t.Fatalf("%d lanes; want 4", m.Lanes())
	}
	var lanes []int
	for p := range int32(6) {
		lanes = append(lanes, m.laneOf(c, p))
	}
	if !slices.Equal(lanes[:3], lanes[3:]) || lanes[0] == lanes[1] || lanes[1] == lanes[2] || lanes[0] == lanes[2] {
		t.Fatalf("partitions 0 to 5, led by three brokers in turn, are in lanes %v", lanes)
	}
}

func TestLanesAreFewerThanLeaders(t *testing.T) {
	c := startEmbedded(t, 3)
	c.lead(0, 1, 2)
	config := c.config("a")
	config.Lanes = 2
	m := run(t, config)
	m.serveAll(3)
	seen := map[int]bool{}
	for p := range int32(3) {
		seen[m.laneOf(c, p)] = true
	}
	if len(seen) != 2 {
		t.Fatalf("lanes in use: %v; want both", seen)
	}
}

// A partition is in the lane of whoever leads it now; one without a leader stays where it is.
func TestALaneFollowsItsLeader(t *testing.T) {
	before := map[int32]int32{0: 1, 1: 2, 2: 1}
	got := consumer.LanesAfter(4, before, map[int32]int32{0: 2, 1: 2, 2: 1})
	if got[0] != got[1] || got[0] == got[2] {
		t.Errorf("after a move: %v; want 0 beside 1, apart from 2", got)
	}
	if stays := consumer.LanesAfter(4, before, map[int32]int32{0: -1, 1: 2, 2: 1}); stays[0] != stays[2] {
		t.Errorf("without a leader: %v; want 0 where it was, beside 2", stays)
	}
}

// A partition whose leader moves changes lane, but not while it is in a Work.
func TestAPartitionChangesLaneBetweenWorks(t *testing.T) {
	c := startEmbedded(t, 2)
	c.lead(0, 1)
	m := run(t, c.config("a"))
	m.serveAll(2)
	from, to := m.laneOf(c, 0), m.laneOf(c, 1)
	key := c.keys()[0]
	c.send(key, 0, 1)
	w := m.poll(from)
	c.lead(1, 1)
	m.RefreshLanes()
	eventually(t, "the leaders are read", func() bool { return m.LaneOf(0) == to })
	c.send(key, 1, 1)
	eventually(t, "the second command is buffered", func() bool { return m.Buffered() == 2 })
	polled := make(chan *consumer.Work, 1)
	go func() { polled <- m.poll(to) }()
	c.send(c.keys()[1], 0, 1)
	other := <-polled
	if got := other.Partitions(); !slices.Equal(got, []int32{1}) {
		t.Fatalf("the new lane handed out partitions %v while 0 was in hand", got)
	}
	w.Done(1)
	if got := payloads(m.poll(to).Commands)[0]; !slices.Equal(got, []string{"1"}) {
		t.Fatalf("after Done the new lane handed out %v", got)
	}
}

func TestOpenNamesWhatIsMissing(t *testing.T) {
	t.Parallel() // it waits most of the time
	c := start(t, 1)
	if _, err := c.adm.DeleteTopic(within(t), c.events()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "Open misses the journal", func() bool {
		m, err := consumer.Open(within(t), c.config("a"))
		if err == nil {
			m.Close()
			return false
		}
		return strings.Contains(err.Error(), c.events())
	})
	_, err := consumer.Open(within(t), consumer.Config{Lanes: -1, BatchRecords: -1, BatchBytes: -1, BufferBytes: -1, SessionTimeout: 1, RevokeTimeout: -1})
	joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err)
	if !ok || len(joined.Unwrap()) < 8 {
		t.Fatalf("faults of a configuration that is wrong throughout: %v", err)
	}
}
