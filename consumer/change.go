package consumer

import (
	"context"
	"sync"
)

// Change is one step of a rebalance, as a value. A partition is in one of the three lists. All three are empty when this instance has joined
// and got nothing new: with more instances than partitions, that is all there is to know.
type Change struct {
	// Assigned partitions are new here. Their predecessors' transactions are decided: the stable offset fetch has returned. Recover their
	// state from the journal, then call Serve; no command of them is handed out before.
	Assigned []int32

	// Revoked partitions are on their way to another owner, which waits for Done. No further Work contains them. Finish or abandon the Work
	// in hand and call Done: until then, and at most for [Config.RevokeTimeout], [Consumer.Claim] still answers for them.
	Revoked []int32

	// Lost partitions have been taken away already: the membership ended. Commit nothing, drop what is held in memory for them, call Done.
	Lost []int32

	consumer *Consumer
	parts    map[int32]*part // the assigned ones
	settled  *settled        // nil where nobody waits
}

// settled is closed once by whoever calls Done first.
type settled struct {
	once sync.Once
	done chan struct{}
}

// Done lets the rebalance go on. It must be called for Revoked and Lost partitions; for Assigned ones it does nothing. Calling it again
// does nothing.
func (ch Change) Done() {
	if ch.settled != nil {
		ch.settled.once.Do(func() { close(ch.settled.done) })
	}
}

// Serve is [Consumer.Serve] for a partition of Assigned, and does nothing when that assignment has ended meanwhile: a recovery that is late
// cannot open a partition that has gone and come back.
func (ch Change) Serve(partition int32) {
	if p := ch.parts[partition]; p != nil {
		ch.consumer.serve(p)
	}
}

// changes hands Change values to the one who reads [Consumer.Changes], in order and without loss, however late they are read. The queue is
// bounded by the number of rebalances that fit into that delay.
type changes struct {
	mu    sync.Mutex    // guards queue
	queue []Change      // the callbacks append, deliver removes
	more  chan struct{} // room for one: the queue is not empty
	out   chan Change   // written and closed by the goroutine of Run that delivers
}

func newChanges() *changes {
	return &changes{more: make(chan struct{}, 1), out: make(chan Change)}
}

func (c *changes) add(ch Change) {
	c.mu.Lock()
	c.queue = append(c.queue, ch)
	c.mu.Unlock()
	signal(c.more)
}

func (c *changes) take() []Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.queue
	c.queue = nil
	return taken
}

// deliver runs until ctx ends; then it closes the channel.
func (c *changes) deliver(ctx context.Context) {
	defer close(c.out)
	for {
		for _, ch := range c.take() {
			select {
			case c.out <- ch:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-c.more:
		case <-ctx.Done():
			return
		}
	}
}

// signal leaves one token in a channel with room for one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
