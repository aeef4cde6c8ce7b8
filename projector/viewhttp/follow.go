package viewhttp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

const maxEvent = 16 << 20 // bytes of one event

// Watch calls fn with each row as it is and then with each change, until ctx ends or fn gives an error. A stream that breaks after it stood is
// opened again from where it was, for as long as ctx lasts: fn then gets an update that is a Reset, and the rows as they are now. A watch that
// cannot be begun at all is an error.
func (c *Client) Watch(ctx context.Context, q projector.Query, fn func(projector.Update) error) error {
	f := &following{c: c, q: q, fn: fn}
	for tries := 0; ; tries++ {
		before := f.seen
		err := f.once(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case f.given != nil:
			return f.given
		case !f.stood || c.routed || !passing(err):
			return err
		}
		if f.seen != before {
			tries = 0
		}
		if !c.pause.wait(ctx, tries) {
			return ctx.Err()
		}
	}
}

// passing tells whether an error may go away by itself.
func passing(err error) bool {
	switch muster.CodeOf(err) {
	case muster.Unavailable, muster.ResourceExhausted, muster.DeadlineExceeded, muster.Unknown:
		return true
	default:
		return false
	}
}

// following is one watch over the streams that make it up. One goroutine uses it.
type following struct {
	c     *Client
	q     projector.Query
	fn    func(projector.Update) error
	last  string // id of the last event
	stood bool   // a stream stood once: from then on it is opened again
	seen  int    // updates handed on
	given error  // by fn
}

var errQuiet = errors.New("the stream gave no sign of life")

// once reads one stream to its end.
func (f *following) once(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	alarm := time.AfterFunc(f.c.quiet, func() { cancel(errQuiet) })
	defer alarm.Stop()
	values := encode(f.q)
	for _, name := range []string{"limit", "token", "reverse"} {
		values.Del(name)
	}
	last := f.last
	if last == "" && f.stood {
		last = "none" // the rows come anew, and must be told from those seen before
	}
	r, err := f.c.ask(ctx, pathOf(f.q)+"/watch", values, last)
	if err != nil {
		return f.c.broken(ctx, err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 64<<10))
		return errorOf(r.StatusCode, body)
	}
	f.stood = true
	stream := newEvents(r.Body, maxEvent)
	for {
		ev, err := stream.next()
		if err != nil {
			return f.c.broken(ctx, err)
		}
		alarm.Stop() // fn may take its time
		if err := f.hand(ev); err != nil {
			return err
		}
		alarm.Reset(f.c.quiet)
	}
}

// hand gives an event to fn.
func (f *following) hand(ev sent) error {
	var u projector.Update
	switch ev.name {
	case eventRow, eventDelete:
		var stored storedRow
		if err := json.Unmarshal(ev.data, &stored); err != nil {
			return muster.Errorf(muster.Internal, "the query service at %s sent a row that cannot be decoded: %v", f.c.base, err)
		}
		u.Row, u.Deleted = stored.open(), ev.name == eventDelete
		if known, err := parseEventID(ev.id); err == nil {
			u.At = known.positions()
		}
	case eventReset:
		u.Reset = true
	case eventError:
		return errorOf(http.StatusServiceUnavailable, ev.data)
	default:
		return nil // a comment, or of a later version
	}
	if f.given = f.fn(u); f.given != nil {
		return f.given
	}
	f.seen++
	if ev.id != "" {
		f.last = ev.id
	}
	return nil
}

// broken is the error of a stream that ended.
func (c *Client) broken(ctx context.Context, err error) error {
	switch {
	case errors.Is(context.Cause(ctx), errQuiet):
		return away(ReasonUnreachable, "the query service at %s: %v for %v", c.base, errQuiet, c.quiet)
	case ctx.Err() != nil:
		return fmt.Errorf("watch: %w", ctx.Err())
	case errors.Is(err, errEventTooLong):
		return muster.Errorf(muster.ResourceExhausted, "the query service at %s sent an event of more than %d bytes", c.base, maxEvent)
	}
	return c.lost(ctx, err)
}
