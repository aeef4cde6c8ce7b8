package disk

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// health is what went wrong with one open store. Pebble's goroutines and the guard write it, every call reads it.
type health struct {
	cfg *Config

	failed  atomic.Pointer[Fault]   // set once, by whoever comes first; the store is unusable from then on
	trouble atomic.Pointer[trouble] // the last background write that failed; Pebble tries it again
	rotten  atomic.Bool             // Pebble met corruption: the next open builds the store anew
	running atomic.Bool             // set by Open at its end

	mu      sync.Mutex    // guards moved; a leaf: nothing is called while it is held
	moved   chan struct{} // closed and replaced when background work ends or fails
	closing chan struct{} // closed by Close
}

// trouble is a failure that may pass.
type trouble struct {
	Fault
	at time.Time
}

// troubled is how long a failed background write counts. Pebble repeats it, so that lasting trouble is renewed well before.
const troubled = time.Second

func newHealth(cfg *Config) *health {
	return &health{cfg: cfg, moved: make(chan struct{}), closing: make(chan struct{})}
}

// fail marks the store failed, for good.
func (h *health) fail(doing string, cause error) {
	w := &h.cfg.Words
	f := h.cfg.fault(w.Store, doing, cause, w.NextFailed)
	if IsFull(cause) {
		f.Kind, f.Next = w.Full, w.NextFull
	}
	if !h.failed.CompareAndSwap(nil, f) {
		return
	}
	h.step()
	h.cfg.Tell.Failed(f)
}

// background takes a failed background write. Pebble's Open waits for the first flush to succeed, however often it is repeated: an error
// then is final.
func (h *health) background(cause error) {
	if !h.running.Load() {
		h.fail("write out what the log holds", cause)
		return
	}
	w := &h.cfg.Words
	t := &trouble{Fault: *h.cfg.fault(w.Store, "flush or compact", cause, w.NextFailed), at: h.cfg.Now()}
	if IsFull(cause) {
		t.Kind, t.Next = w.Full, w.NextWait
	}
	if h.passing() == nil {
		h.cfg.Tell.Troubled(cause)
	}
	h.trouble.Store(t)
	h.step()
}

// rot notes corruption met in the background or by a read. After the store has failed there is nothing to be learnt: what was not written
// cannot be read.
func (h *health) rot(cause error) {
	if h.failed.Load() != nil || h.rotten.Swap(true) {
		return
	}
	h.cfg.Tell.Rotten(cause)
	h.step()
}

// passing gives the trouble of the last second, or nil.
func (h *health) passing() *trouble {
	t := h.trouble.Load()
	if t == nil || h.cfg.Now().Sub(t.at) > troubled {
		return nil
	}
	return t
}

// err gives what every call answers from now on, or nil.
func (h *health) err() error {
	select {
	case <-h.closing:
		return h.cfg.fault(h.cfg.Words.Closed, "use it", nil, h.cfg.Words.NextClosed)
	default:
	}
	if f := h.failed.Load(); f != nil {
		return f
	}
	return nil
}

// step wakes who waits for background work.
func (h *health) step() {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.moved)
	h.moved = make(chan struct{})
}

func (h *health) steps() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.moved
}

// fatal takes what Pebble calls fatal. Pebble expects the process to end there; here the store ends and the process lives.
func (h *health) fatal(format string, args ...any) {
	cause := error(nil)
	for _, arg := range args {
		if err, ok := arg.(error); ok {
			cause = err
		}
	}
	if cause == nil {
		cause = fmt.Errorf(format, args...)
	}
	h.fail("Pebble", cause)
}
