package consumer

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Buffered gives how many records lie in the buffers, those in a Work too.
func (c *Consumer) Buffered() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, p := range c.parts {
		n += p.buffer.records
	}
	return n
}

// BufferedBytes gives how much memory they are counted with.
func (c *Consumer) BufferedBytes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, p := range c.parts {
		n += p.buffer.memory
	}
	return n
}

// PastEmpty is exported for its fuzz test.
var PastEmpty = pastEmpty

// LaneOf gives the lane of a partition.
func (c *Consumer) LaneOf(partition int32) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.parts[partition].lane
}

// BufferedBytes gives how much memory the events in the buffers are counted with, and whether fetching of a partition is paused.
func (s *Subscriber) BufferedBytes() (n int, paused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.followers {
		n += f.buffer.memory
		paused = paused || f.full
	}
	return n, paused
}

// PinBadge puts a badge on the metadata of a join.
func PinBadge(service string, at time.Time, metadata []byte) []byte {
	return newBadge(service, at).pin(metadata)
}

// ReadBadge finds it in user data.
func ReadBadge(data []byte) (service string, since int64, found bool) {
	b, found := readBadge(data)
	return b.Service, b.Since, found
}

// Buffered gives how much memory the events of a source are counted with, and whether its fetching is paused.
func (f *Feeds) Buffered(source Source) (bytes int, paused bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t := f.taps[source]; t != nil {
		return t.buffer.memory, t.full
	}
	return 0, false
}

// PlaceStandbys and PreferWarm are exported for tests of what they promise.
var (
	PlaceStandbys = placeStandbys
	PreferWarm    = preferWarm
)

// LanesAfter gives the lane of every partition after the leaders were read several times.
func LanesAfter(count int, leaders ...map[int32]int32) map[int32]int {
	l := newLanes(count)
	for _, one := range leaders {
		l.update(one)
	}
	return l.byPart
}

// Spares is exported for its test.
type Spares struct{ *spares }

// NewSpares gives memory of nobody yet.
func NewSpares() Spares { return Spares{&spares{}} }

// Held gives how many bytes are kept.
func (s Spares) Held() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}

// Spared gives how many bytes are kept of what was read.
func (f *Feeds) Spared() int { return Spares{f.spares}.Held() }

// OtherProcess asks so often whether another process has an instance's name, in a group that rebalances, which shows nobody's badge; it has no patience.
func OtherProcess(times int) (is []bool) {
	ctx, end := context.WithCancel(context.Background())
	end()
	n := namesakes{instance: "a", describe: func(context.Context) (kadm.DescribedGroup, error) { return kadm.DescribedGroup{}, nil }}
	for range times {
		is = append(is, n.other(ctx))
	}
	return is
}
