package mustertest

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/seed-3eec0498/muster/projector"
)

// MemoryMembership shares shards among instances in one process, as a consumer group would: a shard moves only when its holder has released
// it. It is safe for concurrent use.
type MemoryMembership struct {
	mu      sync.Mutex // guards what follows
	shards  []int32
	members map[string]bool    // those that take part; false: taken for dead, see Cut
	pinned  map[int32]string   // by Move
	held    map[int32]string   // who has it; it stays until it is released
	address map[string]string  // by name
	copies  map[string][]int32 // by Stand
	changed chan struct{}      // closed with each change
}

// NewMemoryMembership shares the given shards.
func NewMemoryMembership(shards ...int32) *MemoryMembership {
	return &MemoryMembership{
		shards: slices.Clone(shards), members: map[string]bool{}, pinned: map[int32]string{}, held: map[int32]string{},
		address: map[string]string{}, copies: map[string][]int32{}, changed: make(chan struct{}),
	}
}

// Member gives an instance its place. It takes part while its Run runs; a name is used by one at a time.
func (m *MemoryMembership) Member(name, address string) projector.Membership {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.address[name] = address
	return &memoryMember{all: m, name: name}
}

// Move gives a shard to an instance, as soon as that takes part and the holder has released it.
func (m *MemoryMembership) Move(shard int32, name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pinned[shard] = name
	m.changeLocked()
}

// Cut takes an instance for dead: its shards go to others at once, while it does not know and goes on.
func (m *MemoryMembership) Cut(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.members[name] = false
	for shard, holder := range m.held {
		if holder == name {
			delete(m.held, shard)
		}
	}
	m.changeLocked()
}

// Stand has an instance keep copies of exactly these shards, apart from those it holds.
func (m *MemoryMembership) Stand(name string, shards ...int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.copies[name] = slices.Clone(shards)
	m.changeLocked()
}

// Held gives who holds each shard.
func (m *MemoryMembership) Held() map[int32]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.held)
}

func (m *MemoryMembership) changeLocked() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// wantedLocked says whose a shard is to be.
func (m *MemoryMembership) wantedLocked(i int) string {
	if name := m.pinned[m.shards[i]]; m.members[name] {
		return name
	}
	var live []string
	for name, alive := range m.members {
		if alive {
			live = append(live, name)
		}
	}
	if len(live) == 0 {
		return ""
	}
	slices.Sort(live)
	return live[i%len(live)]
}

type memoryMember struct {
	all  *MemoryMembership
	name string
}

// Run implements [projector.Membership].
func (p *memoryMember) Run(ctx context.Context, gain, lose func(ctx context.Context, shards []int32)) error {
	m := p.all
	m.mu.Lock()
	m.members[p.name] = true
	m.changeLocked()
	m.mu.Unlock()
	var mine []int32
	for {
		leaving := ctx.Err() // asked once a round: who leaves has to give up what it took a moment before
		lost, gained, changed := p.next(leaving != nil, mine)
		if len(lost) > 0 {
			lose(ctx, lost)
			mine = slices.DeleteFunc(mine, func(s int32) bool { return slices.Contains(lost, s) })
			p.release(lost)
			continue
		}
		if leaving != nil {
			return leaving
		}
		if len(gained) > 0 {
			mine = append(mine, gained...)
			gain(ctx, gained)
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

var _ projector.StandbyMembership = (*memoryMember)(nil)

// Standbys implements [projector.StandbyMembership].
func (p *memoryMember) Standbys(ctx context.Context, assign func(ctx context.Context, shards []int32)) {
	var last []int32
	for {
		p.all.mu.Lock()
		changed := p.all.changed
		mine := slices.DeleteFunc(slices.Clone(p.all.copies[p.name]), func(s int32) bool { return p.all.held[s] == p.name })
		p.all.mu.Unlock()
		if !slices.Equal(mine, last) {
			last = mine
			assign(ctx, mine)
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// next says what to give up, or else what is taken.
func (p *memoryMember) next(leave bool, mine []int32) (lost, gained []int32, changed <-chan struct{}) {
	m := p.all
	m.mu.Lock()
	defer m.mu.Unlock()
	if leave {
		delete(m.members, p.name)
		m.changeLocked()
		return slices.Clone(mine), nil, m.changed
	}
	if !m.members[p.name] { // taken for dead, and does not know
		return nil, nil, m.changed
	}
	for i, shard := range m.shards {
		want := m.wantedLocked(i)
		switch has := slices.Contains(mine, shard); {
		case has && want != p.name:
			lost = append(lost, shard)
		case !has && want == p.name && m.held[shard] == "":
			gained = append(gained, shard)
		}
	}
	if len(lost) > 0 {
		return lost, nil, m.changed
	}
	for _, shard := range gained {
		m.held[shard] = p.name
	}
	return nil, gained, m.changed
}

func (p *memoryMember) release(shards []int32) {
	m := p.all
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, shard := range shards {
		if m.held[shard] == p.name {
			delete(m.held, shard)
		}
	}
	m.changeLocked()
}

// Placement implements [projector.Membership].
func (p *memoryMember) Placement(ctx context.Context) (map[int32]projector.Instance, error) {
	m := p.all
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[int32]projector.Instance{}
	for shard, name := range m.held {
		out[shard] = projector.Instance{Name: name, Address: m.address[name]}
	}
	return out, ctx.Err()
}
