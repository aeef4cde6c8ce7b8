package projector

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// progress is what is known of a held shard, for all who ask. The worker writes it.
type progress struct {
	runner *Runner
	shard  Shard

	mu      sync.Mutex // guards what follows; the worker, which alone writes letters and keys, reads those without it
	known   Status     // without what status computes
	next    []int64    // by source: where it goes on, also over markers
	high    []int64    // likewise: high watermarks as last seen; -1 before
	cps     []Checkpoint
	index   map[Source]int
	letters map[string]aside // by id
	keys    map[string]int   // letters by parked key
	oldest  time.Time        // of the events that are not applied
	rate    rate
	ended   bool
	waiters []*waiter
}

// aside is what is kept in memory of a letter.
type aside struct {
	kind   Kind
	key    string
	source Source
	offset int64
	typ    string
	reason string
}

func (p *progress) init(r *Runner, shard Shard) {
	p.runner, p.shard = r, shard
	p.known = Status{
		Projection: shard.Projection, Shard: shard.Number, Generation: shard.Generation, Instance: r.config.Instance, State: Claiming, Since: r.config.Now(), Standby: shard.Standby,
	}
	p.letters, p.keys, p.index = map[string]aside{}, map[string]int{}, map[Source]int{}
	for i, s := range shard.Sources {
		p.index[s] = i
		p.next, p.high, p.cps = append(p.next, 0), append(p.high, -1), append(p.cps, Checkpoint{Source: s, LastAt: -1})
	}
}

// restore takes over what the target keeps.
func (p *progress) restore(sources []source, stored Stored) {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.letters)
	clear(p.keys)
	for i := range stored.Letters {
		p.putLocked(&stored.Letters[i])
	}
	for i := range sources {
		p.cps[i] = sources[i].cp
		p.cps[i].Source = sources[i].Source
		p.next[i] = sources[i].cp.Next
	}
	p.known.Acts = stored.Acts
	p.tellLocked()
}

func (p *progress) putLocked(l *Letter) {
	p.removeLocked(l.ID)
	source, offset := letterPlace(&l.Event)
	key := strings.Clone(l.Key)
	p.letters[l.ID] = aside{kind: l.Kind, key: key, source: source, offset: offset, typ: l.Event.Type, reason: l.Reason}
	if l.Kind != Skipped {
		p.keys[key]++
	}
}

func (p *progress) removeLocked(id string) {
	l, is := p.letters[id]
	if !is {
		return
	}
	delete(p.letters, id)
	if l.kind == Skipped {
		return
	}
	if p.keys[l.key]--; p.keys[l.key] == 0 {
		delete(p.keys, l.key)
	}
}

// enter notes a state; others hear of a change.
func (p *progress) enter(state State, reason string, err error, at string) {
	p.mu.Lock()
	s := &p.known
	same := s.State == state && s.Reason == reason && s.At == at
	if !same {
		s.Since = p.runner.config.Now()
	}
	s.State, s.Reason, s.At, s.Error = state, reason, at, ""
	if err != nil {
		s.Error = plainText(textOf(err))
	}
	p.tellLocked()
	p.mu.Unlock()
	if !same {
		p.changed()
	}
}

func (p *progress) changed() {
	if changed := p.runner.config.Observe.Changed; changed != nil {
		changed(p.status(p.runner.config.Now()))
	}
	p.runner.stir()
}

// sees notes where a source goes on and where it ends; below 0 means unchanged.
func (p *progress) sees(i int, next, high int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if next >= 0 {
		p.next[i] = next
	}
	if high >= 0 {
		p.high[i] = high
	}
}

// hands notes the oldest event in hand.
func (p *progress) hands(it *Item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if it.Bad == nil {
		p.oldest = it.Event.Time
	}
}

// passes notes that a source goes on behind what is nothing to apply.
func (p *progress) passes(i int, next int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next[i] = max(p.next[i], next)
	p.tellLocked()
}

// commits counts a batch.
func (p *progress) commits(now time.Time, change *Change, sources []source, events int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range change.Checkpoints {
		cp := &change.Checkpoints[i]
		at := p.index[cp.Source]
		p.cps[at], p.next[at] = sources[at].cp, sources[at].next
	}
	for _, id := range change.Remove {
		p.removeLocked(id)
	}
	for i := range change.Put {
		p.putLocked(&change.Put[i])
	}
	if change.Acts != 0 {
		p.known.Acts = change.Acts
	}
	p.known.Applied += uint64(events)
	p.rate.add(now, events)
	p.tellLocked()
	if change.Acts != 0 {
		p.runner.stir() // whoever gave the order waits
	}
}

// reading notes that the journals are followed again.
func (p *progress) reading() {
	state := CatchingUp
	p.mu.Lock()
	if p.lagLocked() == 0 {
		state = Live
	}
	p.mu.Unlock()
	p.enter(state, "", nil, "")
}

// rests is called between deliveries.
func (p *progress) rests() {
	p.mu.Lock()
	lag := p.lagLocked()
	if lag == 0 {
		p.oldest = time.Time{}
	}
	live := lag == 0 && p.known.State == CatchingUp
	p.mu.Unlock()
	if live {
		p.enter(Live, "", nil, "")
	}
}

func (p *progress) lagLocked() int64 {
	lag := int64(0)
	for i := range p.next {
		lag += max(0, p.high[i]-p.next[i])
	}
	return lag
}

// status gives what is known now.
func (p *progress) status(now time.Time) Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.known
	s.Checkpoint = slices.Clone(p.cps)
	s.Letters = map[Kind]int{}
	for _, l := range p.letters {
		s.Letters[l.kind]++
	}
	s.Parked = len(p.keys)
	s.Rate = p.rate.perSecond(now)
	if s.Lag = p.lagLocked(); s.Lag == 0 {
		return s
	}
	if !p.oldest.IsZero() {
		s.LagTime = max(0, now.Sub(p.oldest))
	}
	s.ETA = -1
	if s.Rate > 0 {
		s.ETA = time.Duration(float64(s.Lag) / s.Rate * float64(time.Second))
	}
	return s
}

// parked tells whether later events of a key wait. The worker alone asks.
func (p *progress) parked(key string) bool { return len(p.keys) > 0 && p.keys[key] > 0 }

// lettersOf gives the ids of the letters of a key, or the one id if there is such a letter.
func (p *progress) lettersOf(key, id string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ids []string
	for have, l := range p.letters {
		if have == id || id == "" && l.key == key && l.kind != Skipped {
			ids = append(ids, have)
		}
	}
	return ids
}

// lettersFrom gives the ids of the letters whose events lie in a source from an offset on.
func (p *progress) lettersFrom(s Source, offset int64) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ids []string
	for id, l := range p.letters {
		if l.source == s && l.offset >= offset {
			ids = append(ids, id)
		}
	}
	return ids
}

// parkedFirst tells whether something that failed lies under a key, and not only what waited behind it.
func (p *progress) parkedFirst(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range maps.Values(p.letters) {
		if l.key == key && l.kind == Parked {
			return true
		}
	}
	return false
}

// rate counts events over the last ten seconds.
type rate struct {
	seconds [10]int64 // when each count was begun, in Unix seconds
	counts  [10]int
	first   int64 // the second in which counting began
}

func (r *rate) add(now time.Time, events int) {
	second := now.Unix()
	if r.first == 0 {
		r.first = second
	}
	at := second % 10
	if r.seconds[at] != second {
		r.seconds[at], r.counts[at] = second, 0
	}
	r.counts[at] += events
}

func (r *rate) perSecond(now time.Time) float64 {
	second, sum := now.Unix(), 0
	for i, at := range r.seconds {
		if second-at < 10 {
			sum += r.counts[i]
		}
	}
	return float64(sum) / float64(min(10, max(1, second-r.first+1)))
}
