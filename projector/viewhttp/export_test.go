package viewhttp

import (
	"io"
	"time"
)

// Hasty makes a client that comes back at once and takes a stream for dead after a time.
func (c *Client) Hasty(quiet time.Duration) *Client {
	h := *c
	h.quiet, h.pause = quiet, pause{first: time.Millisecond, top: 5 * time.Millisecond}
	return &h
}

// Direct makes a client that marks its requests as routed.
func (c *Client) Direct() *Client { return c.direct() }

// Reached, EventID and ParseEventID are for the tests of the format.
type Reached = reached

func (r reached) EventID() string                  { return r.eventID() }
func ParseEventID(id string) (Reached, error)      { return parseEventID(id) }
func NewEvents(r io.Reader, most int) *EventStream { return &EventStream{newEvents(r, most)} }

// EventStream reads server-sent events.
type EventStream struct{ e *events }

func (s *EventStream) Next() (name, id, data string, err error) {
	ev, err := s.e.next()
	return ev.name, ev.id, string(ev.data), err
}
