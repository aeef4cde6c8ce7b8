package projector

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/seed-3eec0498/muster"
)

// hand is the function in hand, as the worker and the watchdog see it.
type hand struct {
	state atomic.Uint64                // number<<2 | handRuns | handOver; the worker counts, the watchdog sets handOver
	event atomic.Pointer[muster.Event] // of the function that runs

	ctx context.Context

	mu     sync.Mutex // guards cancel
	cancel context.CancelCauseFunc
}

const (
	handRuns uint64 = 1 // the function has not returned
	handOver uint64 = 2 // and its context was ended by the watchdog
)

// context gives what functions run under.
func (h *hand) context(parent context.Context) context.Context {
	if h.ctx == nil {
		h.mu.Lock()
		h.ctx, h.cancel = context.WithCancelCause(parent)
		h.mu.Unlock()
	}
	return h.ctx
}

func (h *hand) begin(ev *muster.Event) {
	h.event.Store(ev)
	h.state.Store((h.state.Load()>>2+1)<<2 | handRuns)
}

// end tells whether the watchdog has ended the function's context.
func (h *hand) end() (over bool) {
	n := h.state.Load() &^ (handRuns | handOver)
	if h.state.CompareAndSwap(n|handRuns, n) {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state.Store(n)
	h.ctx, h.cancel = nil, nil
	return true
}

// overdue ends the context of the function with the given state, unless it has returned.
func (h *hand) overdue(state uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.state.CompareAndSwap(state, state|handOver) {
		return false
	}
	h.cancel(context.DeadlineExceeded)
	return true
}

// seen gives the type and the place of the event in hand, unless the function has returned, or is another one than that with the given number (0: any).
// Events lie in memory that is used again: the worker cannot pass end while it is read here. The function's context ends.
func (h *hand) seen(number uint64) (typ string, at muster.Position, runs bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		state := h.state.Load()
		if state&handRuns == 0 || number != 0 && state>>2 != number {
			return "", muster.Position{}, false
		}
		if state&handOver != 0 || h.state.CompareAndSwap(state, state|handOver) {
			break
		}
	}
	h.cancel(context.Canceled) // of no effect where the watchdog has ended it
	ev := h.event.Load()
	at = ev.Position()
	at.Topic = strings.Clone(at.Topic)
	return strings.Clone(ev.Type), at, true
}

// overrun is the error of a function that did not return in time.
type overrun struct{ error }

// Unwrap gives what the function returned in the end.
func (o *overrun) Unwrap() error { return o.error }

// panicked is the error of a function that panicked. Its text has type and place of the panic and not its value, which may hold what the function
// was reading: the text is stored with a letter, and shown.
type panicked struct{ text string }

// Error tells where it panicked.
func (p *panicked) Error() string { return "the function panicked: " + p.text }

// panickedWith is called in the deferred function that recovers.
func panickedWith(v any) *panicked { return &panicked{muster.NewPanicError(v).Text} }

// choose finds the function for an event and the event's key. The user's filter and key function may panic, too.
func (w *worker) choose(ev *muster.Event) (run handler, key string, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panickedWith(v)
		}
	}()
	run, err = w.d.handler(ev)
	if run != nil {
		key = w.key(ev)
	}
	return run, key, err
}

// key gives the event's key, in a form that every target can keep.
func (w *worker) key(ev *muster.Event) string {
	if w.d.keyOf != nil {
		return plainKey(w.d.keyOf(ev))
	}
	return w.text.join(ev.Group, "/", ev.AggregateID)
}

// keyOf is key for where a panic must not be: such an event has the key of its aggregate.
func (w *worker) keyOf(ev *muster.Event) (key string) {
	defer func() {
		if recover() != nil {
			key = ev.Group + "/" + ev.AggregateID
		}
	}()
	return w.key(ev)
}

// idOf gives Running.ID.
func (w *worker) idOf(ev *muster.Event) string {
	return w.text.join(w.d.name, "/", ev.Group, "/", ev.ID)
}

// call runs a function for an event.
func (w *worker) call(batch Batch, checked Checked, run handler, ev *muster.Event, key string) (err error) {
	s := &w.sources[w.last]
	ctx := muster.WithMeta(w.hand.context(w.ctx), &ev.Meta)
	w.hand.begin(ev)
	w.running.Key, w.running.ID, w.running.Replayed = key, w.idOf(ev), ev.Offset < s.mark
	w.running.Personal = w.personal
	err = w.guarded(ctx, batch, run, ev)
	if checked != nil {
		err = checked.After(w.ctx, err)
	}
	if w.hand.end() && err != nil {
		err = &overrun{err}
	}
	if w.abandoned.Load() {
		return errNews
	}
	return err
}

func (w *worker) guarded(ctx context.Context, batch Batch, run handler, ev *muster.Event) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panickedWith(v)
		}
	}()
	batch.Before(&w.running)
	return run(ctx, batch.Tx(), w.r.config.Codec, ev)
}

// failureOf classifies what a function gave.
func (w *worker) failureOf(err error) *failure {
	f := &failure{ReasonHandler, err}
	if _, is := errors.AsType[*undecodable](err); is {
		f.reason = ReasonUndecodable
	}
	if _, is := errors.AsType[*panicked](err); is {
		f.reason = ReasonPanic
	}
	if _, is := errors.AsType[*overrun](err); is {
		f.reason = ReasonDeadline
		f.err = fmt.Errorf("the function did not return within its deadline: %w", err)
		return f
	}
	if classified := sealed(err); classified != nil {
		return classified
	}
	return f
}

// textOf is err.Error for errors that may be typed nils.
func textOf(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("a nil %T", err)
		}
	}()
	return err.Error()
}

const maxCause = 4 << 10

// plainText makes a text that every target can keep: valid UTF-8 without zero bytes, at most 4 KiB.
func plainText(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if len(s) <= maxCause {
		return s
	}
	s = s[:maxCause]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}

// plainKey leaves a good key as it is, and writes any other so that it stays apart from the others.
func plainKey(key string) string {
	if utf8.ValidString(key) && strings.IndexByte(key, 0) < 0 {
		return key
	}
	return fmt.Sprintf("%q", key)
}

// textSlab joins texts without an allocation for each: they lie one behind the other in pieces of memory that are collected as a whole. Who keeps
// one of them clones it.
type textSlab struct{ b strings.Builder }

const slabSize = 16 << 10

func (t *textSlab) join(parts ...string) string {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	if t.b.Cap()-t.b.Len() < size {
		t.b.Reset()
		t.b.Grow(max(slabSize, size))
	}
	from := t.b.Len()
	for _, p := range parts {
		t.b.WriteString(p)
	}
	return t.b.String()[from:]
}
