package muster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Processor is the deciding core of a group: batch in, decision out. It does no I/O of its own, reads no clock and starts no
// goroutine. What it holds is per partition, so lanes may work on different partitions at once.
type Processor struct {
	behaviour *Behaviour
	codec     Codec
	states    States
	prefix    string
	tolerance time.Duration
	residents int
	retry     RetryPolicy
	waiting   int
	jitter    func(id string, try int) float64
	chain     Invoke // nil without middleware
	tracer    Tracer // nil: off

	client *Client
	steps  func(to ReplyTo, cause *Meta, s *Step) error
	bound  func(ctx context.Context, cmd *Command) (context.Context, context.CancelFunc)

	mu    sync.Mutex       // guards owned; an *owned itself belongs to the lane that has its partition in hand
	owned map[int32]*owned // Take adds, Drop removes
}

// ProcessorConfig is what a [Processor] needs. Codec and States must be set.
type ProcessorConfig struct {
	Codec  Codec
	States States
	Prefix string // in front of all topic names

	// DeadlineTolerance is how far the clocks of caller and owner may differ. Zero means 2 s.
	DeadlineTolerance time.Duration
	// Retry is what a handler's [RetryLater] gets that says nothing else. The zero value means the defaults.
	Retry RetryPolicy
	// MaxWaiting is how many commands of a partition may wait at once, 1 to [MaxWaiting]. Zero means the most.
	MaxWaiting int
	// Jitter draws a number in [0, 1) for a command id and the number of its try; units that run at once call it. Nil means one that is
	// computed from both, so that a batch decided again decides the same.
	Jitter func(id string, try int) float64
	// Residents is how many decoded aggregates a partition keeps in memory between batches. Zero means 4,096.
	Residents int

	// What stateless handlers need beside that; each may be nil.

	// Client is what [Writer.Client] gives.
	Client *Client
	// Steps hands an item of progress over, to be written to where the command wants its answer. It must not block; the error says
	// why it was not taken. Nil: progress goes nowhere.
	Steps func(to ReplyTo, cause *Meta, s *Step) error
	// Bound gives a handler's context its deadline: the command's and the owner's own, whichever is earlier.
	Bound func(ctx context.Context, cmd *Command) (context.Context, context.CancelFunc)
	// Middleware stands around every handler, the first one outermost; that of [Aggregate.Use] comes inside.
	Middleware []Middleware
	// Tracer is told of every execution. Nil means off.
	Tracer Tracer
}

// NewProcessor makes the core of the group that behaviour describes, which must be valid.
func NewProcessor(behaviour *Behaviour, cfg ProcessorConfig) *Processor {
	p := &Processor{
		behaviour: behaviour, codec: cfg.Codec, states: cfg.States, prefix: cfg.Prefix,
		tolerance: cfg.DeadlineTolerance, residents: cfg.Residents, owned: map[int32]*owned{},
		client: cfg.Client, steps: cfg.Steps, bound: cfg.Bound,
		retry: cfg.Retry.filled(), waiting: cfg.MaxWaiting, jitter: cfg.Jitter,
		chain: chain(cfg.Middleware, behaviour.around), tracer: cfg.Tracer,
	}
	if p.tolerance == 0 {
		p.tolerance = 2 * time.Second
	}
	if p.residents == 0 {
		p.residents = 4096
	}
	if p.waiting <= 0 || p.waiting > MaxWaiting {
		p.waiting = MaxWaiting
	}
	if p.jitter == nil {
		p.jitter = chance
	}
	return p
}

// Take begins the work on a partition whose stored state covers the journal up to the offset next. What the journal holds beyond is
// folded with [Processor.Replay] before the first round.
func (p *Processor) Take(partition int32, next int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.owned[partition] = newOwned(partition, p.residents, next)
}

// Drop forgets what is held of a partition: it was revoked, or its state must be read again. No round may have it in hand.
func (p *Processor) Drop(partition int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.owned, partition)
}

// take gives what is held of a partition, nil when it was not taken.
func (p *Processor) take(partition int32) *owned {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.owned[partition]
}

// Residents gives how many aggregates are held decoded in memory, as of the last batch of each partition. One that was used lately may count twice.
// Safe for concurrent use.
func (p *Processor) Residents() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	sum := int64(0)
	for _, o := range p.owned {
		sum += o.size.Load()
	}
	return int(sum)
}

// load makes a resident usable: the stored state, and on top of it what was accepted in the round in hand.
func (p *Processor) load(partition int32, r *resident) error {
	if r.loaded {
		return nil
	}
	stored, err := p.states.Load(partition, r.id)
	if err != nil {
		return fmt.Errorf("%s[%d]: load state: %w", p.behaviour.group.name, partition, err)
	}
	if r.state, err = p.decodeState(&stored); err != nil {
		return &StateFault{Partition: partition, AggregateID: r.id, Cause: err}
	}
	r.revision, r.offset, r.stored = stored.Revision, stored.Offset, len(stored.Data)
	r.subjects, r.indexed = stored.Subjects, len(stored.Subjects)
	for _, events := range r.accepted {
		for i := range events {
			if err := p.fold(r, &events[i]); err != nil {
				return err
			}
		}
	}
	r.loaded = true
	return nil
}

// fold applies one event to a resident. A panic of the evolve function is a fault of that event.
func (p *Processor) fold(r *resident, e *Event) (err error) {
	fault := func(cause error) error { return foldFault(e, cause) }
	defer func() {
		if v := recover(); v != nil {
			err = fault(fmt.Errorf("evolve panicked: %s", panicText(v)))
		}
	}()
	follows := e.Revision == r.revision+1
	if p.behaviour.group.policy == KeepLatest { // compaction may have taken those between
		follows = e.Revision > r.revision
	}
	if !follows {
		gap := &RevisionGap{Revision: e.Revision, After: r.revision, Behind: r.offset}
		if r.revision == 0 {
			gap.Behind = -1
		}
		return fault(gap)
	}
	evolve, known := p.behaviour.evolver(e.Type)
	if !known {
		return fault(errors.New("no evolve function for this type; was it written by a newer build?"))
	}
	v, withheld, err := evolve.read(p.codec, e)
	if err != nil {
		return fault(err)
	}
	r.state = p.behaviour.apply(evolve, r.state, v, withheld)
	r.revision = e.Revision
	p.noteSubjects(r, e.Payload)
	return nil
}

func (p *Processor) statePlace(id string, revision uint64) Place {
	return p.behaviour.statePlace(id, revision)
}

// encodeState and decodeState call methods of the user's types; a panic there is an error like any other.
func (p *Processor) encodeState(r *resident) (data []byte, err error) {
	defer recovered(&err, "encoding the state panicked")
	if p.behaviour.zero == nil {
		return statelessMark, nil
	}
	data, _, err = p.codec.Encode(nil, p.statePlace(r.id, r.revision), r.state)
	if err == nil {
		p.noteSubjects(r, data)
	}
	return data, err
}

func (p *Processor) decodeState(stored *StoredState) (state any, err error) {
	defer recovered(&err, "decoding the state panicked")
	if p.behaviour.zero == nil {
		return nil, nil
	}
	if stored.Revision == 0 {
		return p.behaviour.zero(), nil
	}
	state, _, err = p.behaviour.openState(p.codec, stored)
	return state, err
}

func recovered(err *error, what string) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("%s: %s", what, panicText(v))
	}
}

// StateFault says that a stored state cannot be read. The journal can: drop the partition's rows and read it again.
type StateFault struct {
	Partition   int32
	AggregateID string
	Cause       error
}

// Error names the partition and the aggregate.
func (f *StateFault) Error() string {
	return fmt.Sprintf("stored state of aggregate %q in partition %d cannot be read: %v; it is rebuilt from the journal", f.AggregateID, f.Partition, f.Cause)
}

// Unwrap gives the cause.
func (f *StateFault) Unwrap() error { return f.Cause }

// FoldFault says that an event of the journal cannot be folded. Its partition stops until the cause is mended: skipping it would make a
// state that no journal explains.
type FoldFault struct {
	Position    Position
	Type        string
	AggregateID string
	Revision    uint64
	Cause       error
}

func foldFault(e *Event, cause error) *FoldFault {
	return &FoldFault{Position: e.Position(), Type: e.Type, AggregateID: e.AggregateID, Revision: e.Revision, Cause: cause}
}

// Error names event, place and cause.
func (f *FoldFault) Error() string {
	return fmt.Sprintf("%s: event %s, revision %d of aggregate %q, cannot be folded: %v", f.Position, f.Type, f.Revision, f.AggregateID, f.Cause)
}

// Unwrap gives the cause.
func (f *FoldFault) Unwrap() error { return f.Cause }
