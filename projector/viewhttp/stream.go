package viewhttp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// The events of a stream (https://html.spec.whatwg.org/multipage/server-sent-events.html). The data of each is one line of JSON.
const (
	eventRow    = "row"    // a row as it is now
	eventDelete = "delete" // the row with this key is gone
	eventReset  = "reset"  // forget all rows: they come anew
	eventError  = "error"  // the stream ends for this reason; come back where it says retry
)

// stream writes the events of one watch. The goroutine of the request writes what changes, another one the heartbeats.
type stream struct {
	h      *Handler
	view   string
	stored bool
	resume bool // the reader has seen rows before

	mu      sync.Mutex // guards the rest: one event is written at a time
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool // the head is written
	reached reached
	broken  error // the first failure to write
}

// settle is how long a stream that has nothing to show yet waits before it says that it stands. Until then a fault is a plain HTTP error.
const settle = time.Second

// resumeWait bounds how long a stream that resumes waits for the instance to be as far as the reader was.
const resumeWait = 5 * time.Second

func (h *Handler) serveWatch(w http.ResponseWriter, r *http.Request) error {
	d, err := demandOf(r, ofWatch)
	if err != nil {
		return err
	}
	s := &stream{h: h, view: d.query.View, stored: d.stored, w: w, control: http.NewResponseController(w), reached: reached{}}
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.URL.Query().Get("last-event-id") // for readers that cannot set headers
	}
	var seen []muster.Position
	if last != "" {
		s.resume = true // also with an id that cannot be read: the rows come anew, after a reset
		if known, err := parseEventID(last); err == nil {
			s.reached, seen = known, known.positions()
		}
	}
	s.lift(h.opts.Heartbeat)
	ctx, cancel := context.WithTimeout(r.Context(), h.opts.WatchAge)
	defer cancel()
	err = func() error {
		var beats sync.WaitGroup
		defer beats.Wait() // also when the reader panics
		defer cancel()
		beats.Go(func() { s.beat(ctx, cancel) })
		return h.resumed(ctx, h.readerFor(r), d.query, seen, s)
	}()
	return s.finish(r.Context(), notReached(r.Context(), err, d.query.AtLeast))
}

// resumed watches from where the reader was: the view must have been there before rows are shown, so that none goes back in time. A view that
// does not get there in time, as one that is being rebuilt, is shown as it is.
func (h *Handler) resumed(ctx context.Context, reader projector.Reader, q projector.Query, seen []muster.Position, s *stream) error {
	if len(seen) > 0 {
		catchUp, cancel := context.WithTimeout(ctx, resumeWait)
		probe := q
		probe.AtLeast, probe.Limit = seen, 1
		_, err := reader.Read(catchUp, probe)
		cancel()
		switch code := muster.CodeOf(err); {
		case err == nil, ctx.Err() != nil:
		case code != muster.DeadlineExceeded && code != muster.InvalidArgument:
			return err
		}
	}
	return reader.Watch(ctx, q, s.send)
}

// beat writes comments until ctx ends, so that neither side takes the stream for dead.
func (s *stream) beat(ctx context.Context, cancel context.CancelFunc) {
	timer := time.NewTimer(min(settle, s.h.opts.Heartbeat))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			if s.write(nil, []byte(":\n\n")) != nil {
				cancel()
				return
			}
			timer.Reset(s.h.opts.Heartbeat)
		}
	}
}

// send writes one update.
func (s *stream) send(u projector.Update) error {
	if u.Reset {
		if err := s.event(eventReset, struct{}{}, nil); err != nil || u.Row.Key == "" {
			return err
		}
	}
	if u.Deleted {
		if s.stored {
			return s.event(eventDelete, storedRow{Key: []byte(u.Row.Key), Shard: u.Row.Shard}, u.At)
		}
		return s.event(eventDelete, row{Key: readable(u.Row.Key)}, u.At)
	}
	if s.stored {
		return s.event(eventRow, store(u.Row), u.At)
	}
	return s.event(eventRow, s.h.show(s.view, u.Row), u.At)
}

// event writes one event.
func (s *stream) event(name string, body any, at []muster.Position) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return s.write(at, []byte("event: "+name+"\ndata: "+string(text)+"\n\n"))
}

// write begins the stream if need be, and sends what is given with the id of how far it is.
func (s *stream) write(at []muster.Position, text []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	var out bytes.Buffer
	if !s.begun {
		head := s.w.Header()
		head.Set("Content-Type", "text/event-stream")
		head.Set("X-Accel-Buffering", "no") // nginx: pass each event on at once
		out.WriteString("retry: 1000\n\n")
		if s.resume {
			out.WriteString("event: " + eventReset + "\ndata: {}\n\n")
		}
		s.begun = true
	}
	if s.reached.note(at); len(at) > 0 {
		if id := s.reached.eventID(); id != "" {
			out.WriteString("id: " + id + "\n")
		}
	}
	out.Write(text)
	s.lift(0)
	_, err := s.w.Write(out.Bytes())
	if err == nil {
		err = s.control.Flush()
	}
	if errors.Is(err, http.ErrNotSupported) {
		err = nil
	}
	s.broken = err
	s.lift(s.h.opts.Heartbeat)
	return err
}

// lift puts a deadline of the stream's own in the place of the server's WriteTimeout: for a write, and with a pause for the one behind it, since HTTP/2 ends
// a stream whose deadline is over also where nothing is being written. A ReadTimeout needs nothing: it is over when the request is read.
func (s *stream) lift(pause time.Duration) {
	_ = s.control.SetWriteDeadline(time.Now().Add(pause + s.h.opts.WriteTimeout)) // not every writer has one
}

// finish ends the stream: with a plain error where nothing has been sent, else with an event.
func (s *stream) finish(ctx context.Context, err error) error {
	s.mu.Lock()
	begun, broken := s.begun, s.broken
	s.mu.Unlock()
	if broken != nil || ctx.Err() != nil && !s.h.ended() {
		return nil // the reader has gone
	}
	if s.h.ended() {
		err = errClosed
	}
	if !begun && err != nil {
		return err
	}
	if muster.CodeOf(err) == muster.DeadlineExceeded && muster.ReasonOf(err) == "" {
		err = away("watch-age", "the stream has reached its age; come back")
	}
	if err != nil {
		f, _ := faultOf(err)
		_ = s.event(eventError, f, nil) // the reader notices the end
	}
	return nil
}
