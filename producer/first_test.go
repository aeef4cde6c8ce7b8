package producer_test

import (
	"bytes"
	"strconv"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster/producer"
)

// The first transaction of a client once ended as an abort that was reported as a commit, when the client's metadata loop was held up at the
// wrong moment: see learn in slot.go. Nothing can hold it up there on purpose; a log that all of its goroutines queue for makes it likely
// enough that these rounds find it, at the first use of a slot or, by what it leaves behind, at the second.
func TestFirstCommitsOfAClientAreCommits(t *testing.T) {
	const rounds, slots = 40, 3
	b := newBed(t, 1)
	queue := kgo.WithLogger(kgo.BasicLogger(&queue{}, kgo.LogLevelDebug, nil))
	for round := range rounds {
		p := b.open(func(c *producer.Config) {
			c.Slots = slots
			c.Kafka.Options = append(c.Kafka.Options, queue)
		})
		for i := range 2 * slots {
			want(t, p.Lane(0).Commit(t.Context(), b.decide("c"+strconv.Itoa(round*2*slots+i), 1)), nil)
		}
		p.Close()
	}
	if n := len(b.committed(b.group.JournalTopic(""))); n != rounds*2*slots {
		t.Errorf("%d of %d commits that returned nil are visible", n, rounds*2*slots)
	}
}

type queue struct {
	mu    sync.Mutex // guards lines; every goroutine of the client waits here
	lines bytes.Buffer
}

func (q *queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lines.Write(line)
}
