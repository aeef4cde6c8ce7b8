package muster

import (
	"context"
	"iter"
	"slices"
	"sync"
)

// Limits of progress. More is not sent, and [Writer.Progress] says so; the command goes on.
const (
	MaxSteps     = 1000     // of one execution
	MaxStepBytes = 64 << 10 // encoded
	stepsKept    = 256      // that a slow caller has not seen yet; older ones are dropped
)

// Step is one item of progress of a command that is being handled, as its caller sees it. It is provisional: the command may still be
// refused, or be executed again after an aborted transaction or a crash.
type Step struct {
	CommandID   string
	Attempt     int // of the owner, from 1; a new owner begins at 1 again
	Number      int // 1, 2, 3 ... in each attempt; a gap means that the caller was too slow, 1 that it begins anew
	ContentType string
	Payload     []byte

	codec Codec // set by the call that receives it
	place Place
}

// StepOf reads the payload of a step as a P: a protobuf message, [Raw], or anything encoding/json can handle.
func StepOf[P any](s *Step) (P, error) {
	codec, place := s.codec, s.place
	if codec == nil {
		codec = PlainCodec{}
	}
	place.ContentType = s.ContentType
	v, _, err := valueOf[P]{}.decode(codec, place, s.Payload)
	if err != nil {
		var none P
		return none, err
	}
	return v.(P), nil
}

func stepPlace(cmd *Command) Place {
	return Place{Purpose: PurposeProgress, Group: cmd.Group, Type: cmd.Type, AggregateID: cmd.AggregateID, MessageID: cmd.ID}
}

// OnProgress asks for the progress of a call: fn is called with each step, in order, on the goroutine of the call while it waits. Steps that
// arrive faster than fn returns are kept up to a bound; then the oldest are dropped. Progress does not extend the call's deadline.
func OnProgress(fn func(*Step)) CallOption {
	return func(o *outgoing) {
		o.onStep = func(s *Step) bool { fn(s); return true }
	}
}

// readable gives what a call does with its steps: they are made ready to be decoded. Nil where no progress is wanted.
func (c *Client) readable(o *outgoing) func(*Step) bool {
	if o.onStep == nil {
		return nil
	}
	place := stepPlace(&o.cmd)
	return func(s *Step) bool {
		mine := *s // another call may wait for the same command
		mine.codec, mine.place = c.codec, place
		return o.onStep(&mine)
	}
}

// Update is what [CommandType.Stream] gives: a step of progress, or at the end the result.
type Update[Out any] struct {
	Step   *Step // nil at the end
	Result Out   // at the end, where the error is nil
}

// Stream sends the command and gives its progress, step by step, and at the end the outcome: the last pair has either the result or the error
// that [CommandType.Call] would have given. Nothing is sent before the loop begins. Leaving the loop early gives up waiting; the command goes
// on. Progress does not extend the deadline of the call.
//
//	for update, err := range bank.Import.Stream(ctx, client, "acc-1", file) {
//		switch {
//		case err != nil:
//			return err
//		case update.Step != nil:
//			percent, err := muster.StepOf[int](update.Step)
//			...
//		default:
//			use(update.Result)
//		}
//	}
func (c *CommandType[In, Out]) Stream(ctx context.Context, client *Client, id string, in In, opts ...CallOption) iter.Seq2[Update[Out], error] {
	return func(yield func(Update[Out], error) bool) {
		left := false
		stream := CallOption(func(o *outgoing) {
			o.onStep = func(s *Step) bool {
				left = !yield(Update[Out]{Step: s}, nil)
				return !left
			}
		})
		out, err := c.Call(ctx, client, id, in, append(slices.Clip(opts), stream)...)
		if !left {
			yield(Update[Out]{Result: out}, err)
		}
	}
}

// steps are those that a call has not seen yet.
type steps struct {
	mu    sync.Mutex    // guards queue: the reply reader appends, the call takes
	queue []*Step       // at most stepsKept
	more  chan struct{} // has room for one: there is something in queue
}

func newSteps() *steps { return &steps{more: make(chan struct{}, 1)} }

// put never blocks. It reports false when an older step had to go.
func (s *steps) put(one *Step) bool {
	s.mu.Lock()
	fits := len(s.queue) < stepsKept
	if !fits {
		s.queue = append(s.queue[:0], s.queue[1:]...)
	}
	s.queue = append(s.queue, one)
	s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
	return fits
}

func (s *steps) take() []*Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.queue
	s.queue = nil
	return all
}
