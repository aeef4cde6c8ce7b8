package service

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-3eec0498/muster"
)

// merged makes one behaviour of all parts that name the same group, in the order in which the groups first appear.
func merged(parts []owning) []*muster.Behaviour {
	var all []*muster.Behaviour
	at := map[string]int{}
	for _, part := range parts {
		b := part.Behaviour()
		i, known := at[b.Group().Name()]
		if !known {
			at[b.Group().Name()] = len(all)
			all = append(all, b)
			continue
		}
		all[i] = muster.Merge(all[i], b)
	}
	return all
}

// handlerWorkers is how many handlers of a batch run at the same time where they may wait for something, unless Config.Workers says otherwise.
const handlerWorkers = 64

// handlerHands is how many batches of stateless handlers a lane has in hand at most, each of one partition.
const handlerHands = 8

// handling is how a lane decides its batches. A decide function computes, a stateless handler waits: for a database, for another group.
type handling struct {
	effects  bool // it writes to other groups
	hands    int  // loops of a lane
	workers  int
	slice    int           // commands of the first slice of a batch
	patience time.Duration // after which the rest of the batch is left for the next transaction
}

func handlingOf(b *muster.Behaviour, cfg Config) handling {
	if !b.Effects() {
		return handling{hands: 2, workers: cfg.Workers, slice: firstSlice, patience: time.Hour}
	}
	n := orDefault(cfg.Workers, handlerWorkers)
	// A batch of slow handlers is committed worker by worker: the answer of the first one does not wait for the thousandth.
	// A batch holds one partition, so that a handler that waits does not hold up the other ones.
	return handling{effects: true, hands: handlerHands, workers: n, slice: n, patience: 20 * time.Millisecond}
}

// bound gives a handler's context its deadline: the command's, or that of all handlers, whichever is earlier.
func (o *owner) bound(ctx context.Context, cmd *muster.Command) (context.Context, context.CancelFunc) {
	left := o.cfg.handlerDeadline()
	if !cmd.Deadline.IsZero() {
		left = min(left, cmd.Deadline.Sub(o.clock.Now()))
	}
	return context.WithTimeout(ctx, left)
}

// step sends an item of progress to the caller of a command.
func (o *owner) step(to muster.ReplyTo, cause *muster.Meta, s *muster.Step) error {
	if err := o.replies.SendStep(context.Background(), to, cause, s); err != nil { //nolint:forbidigo // it waits for nothing
		o.metrics.dropped.WithLabelValues(o.group.Name()).Inc()
		return fmt.Errorf("progress not sent: %w", err)
	}
	return nil
}
