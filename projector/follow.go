package projector

import (
	"errors"
	"slices"
	"time"

	"github.com/seed-3eec0498/muster"
)

// idleAfter is how long the rest of a torn command is waited for, and how long a checkpoint that moved over markers only stays uncommitted.
const idleAfter = time.Second

// follow reads the journals from the checkpoints on and applies what they deliver, until there is something to see to, a stop or a fault.
func (w *worker) follow() error {
	from, err := w.places()
	if err != nil {
		return err
	}
	feed, err := w.from.Open(w.ctx, from)
	if err != nil {
		return w.feedFault(err)
	}
	defer feed.Close()
	defer w.idle.Stop()
	w.carry = nil
	w.idled.Store(false)
	w.held.progress.reading()
	for {
		ctx := w.intake.context()
		if w.news() {
			return w.settle(errNews)
		}
		if err := w.answer(); err != nil {
			return err
		}
		if w.idled.Swap(false) {
			if err := w.applyCarried(); err != nil {
				return err
			}
			if err := w.settle(nil); err != nil {
				return err
			}
			continue
		}
		d, err := feed.Next(ctx)
		if err != nil {
			if ctx.Err() == nil {
				return w.feedFault(err)
			}
			if w.ctx.Err() != nil {
				return errNews
			}
			continue
		}
		if err := w.deliver(&d); err != nil {
			return err
		}
		if err := w.skipPassed(); err != nil {
			return err
		}
		if len(w.carry) > 0 || w.dirty() {
			w.idle.Reset(idleAfter)
		}
	}
}

// feedFault says what a failure of the feed means.
func (w *worker) feedFault(err error) error {
	if errors.Is(err, ErrAhead) {
		return w.journalFault("its checkpoint is not in the journal", err) // the next look says more
	}
	return w.journalFault("the journals cannot be read", err)
}

// deliver applies a delivery, in batches that end behind whole commands. The beginning of a command whose rest has not come is carried over.
func (w *worker) deliver(d *Delivery) error {
	if err := w.untrimmed(d); err != nil {
		return err
	}
	items := d.Items
	if len(w.carry) > 0 {
		items = append(w.carry, items...) // the carried ones stand in front
		w.carry = nil
	}
	for src, next := range d.Next {
		if s := w.locate(src); s != nil {
			s.tail, s.end = -1, next
			s.ahead.passed(next, d.High[src])
			w.held.progress.sees(w.last, -1, d.High[src])
		}
	}
	items, err := w.wanted(items)
	if err != nil {
		return err
	}
	items = w.holdBack(items)
	if err := w.applyAll(items); err != nil {
		return err
	}
	for src, next := range d.Next {
		if s := w.locate(src); s != nil && !s.open && next > s.next {
			s.next = next
			w.held.progress.passes(w.last, next)
		}
	}
	w.held.progress.rests()
	return nil
}

// wanted leaves out what is applied already: the event that is read again as proof.
func (w *worker) wanted(items []Item) ([]Item, error) {
	skip := 0
	for i := range items {
		it := &items[i]
		s := w.locate(it.Source)
		if s == nil {
			return nil, w.journalFault("the feed gave an event of "+it.Source.String()+", which was not asked for", errors.New("a fault of the feed"))
		}
		applied, err := w.proven(s, it)
		if err != nil {
			return nil, err
		}
		if applied {
			skip++
			continue
		}
		s.tail = it.Event.Offset
		s.open = it.Bad == nil && it.Event.Index+1 < it.Event.Count
		if skip > 0 {
			items[i-skip] = items[i]
		}
	}
	return items[:len(items)-skip], nil
}

// holdBack takes the beginnings of commands whose rest has not come off the items, as clones.
func (w *worker) holdBack(items []Item) []Item {
	torn := false
	for i := range w.sources {
		torn = torn || w.sources[i].open
	}
	if !torn {
		return items
	}
	cut := map[Source]int{} // where the open command of a source begins
	for i := range w.sources {
		if s := &w.sources[i]; s.open {
			cut[s.Source] = beginning(items, s.Source)
		}
	}
	rest := items[:0:0]
	for i, it := range items {
		at, open := cut[it.Source]
		if !open || i < at {
			rest = append(rest, it)
			continue
		}
		w.carry = append(w.carry, Item{Source: it.Source, Event: cloneEvent(it.Event)})
	}
	for i := range w.sources { // the last item that is applied is another one now
		if s := &w.sources[i]; s.open {
			s.tail = -1
		}
	}
	return rest
}

// beginning finds the first item of the command that the last item of a source belongs to.
func beginning(items []Item, src Source) int {
	first, command := len(items), ""
	for i, it := range slices.Backward(items) {
		if it.Source != src {
			continue
		}
		if it.Bad != nil || first < len(items) && (it.Event.CausationID != command || it.Event.Index >= items[first].Event.Index) {
			break
		}
		first, command = i, it.Event.CausationID
	}
	return first
}

// applyCarried gives up waiting for the rest of a command: compaction has taken it.
func (w *worker) applyCarried() error {
	items := w.carry
	w.carry = nil
	for _, it := range items {
		s := w.locate(it.Source)
		s.open, s.tail = false, it.Event.Offset
	}
	if err := w.applyAll(items); err != nil {
		return err
	}
	w.held.progress.rests()
	return nil
}

// applyAll applies items in batches, each behind the last event of a command.
func (w *worker) applyAll(items []Item) error {
	most := w.d.batch
	if most == 0 {
		most = defaultBatch
	}
	for len(items) > 0 {
		n := w.cut(items, most)
		if err := w.apply(items[:n]); err != nil {
			return err
		}
		items = items[n:]
		if len(items) > 0 && w.news() {
			return errNews
		}
	}
	return nil
}

// cut gives the length of the next batch: at least most, unless there is less, and no command torn.
func (w *worker) cut(items []Item, most int) int {
	if len(items) <= most {
		return len(items)
	}
	if len(w.sources) == 1 {
		n := most
		for n < len(items) && items[n-1].Bad == nil && items[n-1].Event.Index+1 < items[n-1].Event.Count {
			n++
		}
		return n
	}
	open := 0 // sources whose command is not at its end; none where a batch begins
	clear(w.torn)
	for i := range items {
		it := &items[i]
		w.locate(it.Source)
		if torn := it.Bad == nil && it.Event.Index+1 < it.Event.Count; torn != w.torn[w.last] {
			w.torn[w.last] = torn
			if torn {
				open++
			} else {
				open--
			}
		}
		if i+1 >= most && open == 0 {
			return i + 1
		}
	}
	return len(items)
}

// cloneEvent makes an event that outlives its delivery. The stored answer is left behind.
func cloneEvent(ev *muster.Event) *muster.Event {
	c := *ev
	c.Payload, c.Answer, c.Fingerprint = slices.Clone(ev.Payload), nil, 0
	c.Headers = slices.Clone(ev.Headers)
	for i := range c.Headers {
		c.Headers[i].Value = slices.Clone(c.Headers[i].Value)
	}
	return &c
}

// dirty tells that a source has moved over what is nothing to apply, beyond its checkpoint.
func (w *worker) dirty() bool {
	for i := range w.sources {
		if s := &w.sources[i]; s.next > s.cp.Next {
			return true
		}
	}
	return false
}

// settle commits the checkpoints that moved over nothing to apply, and gives then, or the fault.
func (w *worker) settle(then error) error {
	if !w.dirty() || w.leaving() && w.ctx.Err() != nil {
		return then
	}
	change := Change{}
	for i := range w.sources {
		if s := &w.sources[i]; s.next > s.cp.Next {
			cp := s.cp
			cp.Next = s.next
			change.Checkpoints = append(change.Checkpoints, cp)
		}
	}
	if err := w.commitChange(&change); err != nil {
		return err
	}
	return then
}
