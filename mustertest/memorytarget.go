package mustertest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// MemoryTarget is a [projector.Target] in memory: rows are texts by key. Several of them may share what is stored, as instances share a
// database: see [MemoryTarget.Beside]. It is safe for concurrent use.
type MemoryTarget struct {
	store *memoryRows

	mu        sync.Mutex // guards what follows
	intercept func(step string, shard projector.Shard) error
	killed    bool
}

// memoryRows is what a kill does not take away.
type memoryRows struct {
	mu     sync.Mutex // guards shards and what it holds
	shards map[memoryPlace]*memoryShard
}

type memoryPlace struct {
	projection string
	generation int
	number     int32
}

type memoryShard struct {
	epoch       int64
	rows        map[string]string
	checkpoints []projector.Checkpoint
	letters     []projector.Letter
	acts        int64
	published   []projector.Publication
}

var _ projector.Target = (*MemoryTarget)(nil)

// ErrKilled is what a target gives after [MemoryTarget.Kill].
var ErrKilled = errors.New("this process was killed")

// NewMemoryTarget makes an empty one.
func NewMemoryTarget() *MemoryTarget {
	return &MemoryTarget{store: &memoryRows{shards: map[memoryPlace]*memoryShard{}}}
}

// Beside gives the target of another instance: what is stored is shared, faults are not.
func (t *MemoryTarget) Beside() *MemoryTarget { return &MemoryTarget{store: t.store} }

// Kill ends what this instance can do: all that was not committed is lost, and every call fails. What was stored stays, for [MemoryTarget.Beside].
func (t *MemoryTarget) Kill() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.killed = true
}

// Intercept has fn called at each step, and the step fails with the error it gives. Steps are "claim", "stored", "begin", "commit" (nothing is
// durable yet), "committed" (all is, and an error makes the outcome unknown) and "drop". fn may call Kill. Nil ends it.
func (t *MemoryTarget) Intercept(fn func(step string, shard projector.Shard) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.intercept = fn
}

func (t *MemoryTarget) at(ctx context.Context, step string, shard projector.Shard) error {
	t.mu.Lock()
	fn := t.intercept
	t.mu.Unlock()
	var err error
	if fn != nil {
		err = fn(step, shard)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.killed {
		return ErrKilled
	}
	return errors.Join(err, ctx.Err())
}

// Rows gives what a reader sees of a shard.
func (t *MemoryTarget) Rows(shard projector.Shard) map[string]string {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	return maps.Clone(t.store.shard(shard).rows)
}

// Stored gives what a claim would find of a shard.
func (t *MemoryTarget) Stored(shard projector.Shard) projector.Stored {
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	return t.store.shard(shard).stored()
}

// Claim implements [projector.Target].
func (t *MemoryTarget) Claim(ctx context.Context, shard projector.Shard) (projector.Holding, error) {
	if err := t.at(ctx, "claim", shard); err != nil {
		return nil, err
	}
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	s := t.store.shard(shard)
	s.epoch++
	return &memoryHolding{target: t, shard: shard, epoch: s.epoch}, nil
}

// Drop implements [projector.Target].
func (t *MemoryTarget) Drop(ctx context.Context, shard projector.Shard) error {
	if err := t.at(ctx, "drop", shard); err != nil {
		return err
	}
	t.store.mu.Lock()
	defer t.store.mu.Unlock()
	s := t.store.shard(shard)
	*s = memoryShard{epoch: s.epoch + 1, rows: map[string]string{}}
	return nil
}

// shard is called with mu held.
func (r *memoryRows) shard(shard projector.Shard) *memoryShard {
	place := memoryPlace{projection: shard.Projection, generation: shard.Generation, number: shard.Number}
	s := r.shards[place]
	if s == nil {
		s = &memoryShard{rows: map[string]string{}}
		r.shards[place] = s
	}
	return s
}

func (s *memoryShard) stored() projector.Stored {
	out := projector.Stored{Checkpoints: slices.Clone(s.checkpoints), Acts: s.acts}
	for i := range s.letters {
		out.Letters = append(out.Letters, cloneLetter(&s.letters[i]))
	}
	return out
}

func cloneLetter(l *projector.Letter) projector.Letter {
	c := *l
	c.Event = *cloneEvent(&l.Event)
	return c
}

// NewMemoryProjection begins a projection whose functions write to a [MemoryTarget].
func NewMemoryProjection(name string, opts ...projector.Option) *MemoryProjection {
	return &MemoryProjection{definition: projector.NewDefinition(name, opts...)}
}

// MemoryProjection is a projection for a [MemoryTarget].
type MemoryProjection struct{ definition *projector.Definition }

// Definition implements [projector.Into].
func (p *MemoryProjection) Definition() *projector.Definition { return p.definition }

// AwaitIn implements [muster.Awaited].
func (p *MemoryProjection) AwaitIn(ctx context.Context, host muster.ViewHost, pos muster.Position) error {
	return p.definition.AwaitIn(ctx, host, pos)
}

// Hand implements [projector.Into].
func (p *MemoryProjection) Hand(tx any) *MemoryTx { return tx.(*MemoryTx) }

var _ projector.Into[*MemoryTx] = (*MemoryProjection)(nil)

// MemoryTx is what a function writes to. It is used by one goroutine, and of no use after the function has returned.
type MemoryTx struct {
	batch   *memoryBatch
	running projector.Running
}

// Running tells about the event in hand.
func (tx *MemoryTx) Running() projector.Running { return tx.running }

// Get gives a row as this batch sees it.
func (tx *MemoryTx) Get(key string) (string, bool) {
	if value, is := tx.batch.writes[key]; is {
		if value == nil {
			return "", false
		}
		return *value, true
	}
	store := tx.batch.holding.target.store
	store.mu.Lock()
	defer store.mu.Unlock()
	value, is := store.shard(tx.batch.holding.shard).rows[key]
	return value, is
}

// Set writes a row.
func (tx *MemoryTx) Set(key, value string) { tx.batch.writes[key] = &value }

// Delete removes a row.
func (tx *MemoryTx) Delete(key string) { tx.batch.writes[key] = nil }

// putLetters keeps letters in the order they were put aside: the same id stays where it was.
func putLetters(have []projector.Letter, put []projector.Letter, remove []string) []projector.Letter {
	have = slices.DeleteFunc(slices.Clone(have), func(l projector.Letter) bool { return slices.Contains(remove, l.ID) })
	for i := range put {
		at := slices.IndexFunc(have, func(l projector.Letter) bool { return l.ID == put[i].ID })
		if at < 0 {
			have = append(have, cloneLetter(&put[i]))
		} else {
			have[at] = cloneLetter(&put[i])
		}
	}
	return have
}

func putCheckpoints(have, put []projector.Checkpoint) []projector.Checkpoint {
	have = slices.Clone(have)
	for _, c := range put {
		at := slices.IndexFunc(have, func(h projector.Checkpoint) bool { return h.Source == c.Source })
		if at < 0 {
			have = append(have, c)
		} else {
			have[at] = c
		}
	}
	return have
}
