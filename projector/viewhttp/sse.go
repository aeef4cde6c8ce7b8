package viewhttp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// sent is one server-sent event. Name is empty for one that holds nothing, as a comment.
type sent struct {
	name string
	id   string // of the last event that had one, this one included
	data []byte
}

// events reads a stream of server-sent events as the service writes it (https://html.spec.whatwg.org/multipage/server-sent-events.html).
type events struct {
	r   *bufio.Reader
	max int // bytes of one event
	id  string
}

var errEventTooLong = errors.New("an event of the stream is too long")

func newEvents(r io.Reader, most int) *events {
	return &events{r: bufio.NewReaderSize(r, 32<<10), max: most}
}

// next gives the next event or comment. An event that is cut off by the end of the stream does not count.
func (e *events) next() (sent, error) {
	var ev sent
	id, size := e.id, 0
	for {
		line, err := e.line(e.max - size)
		if err != nil {
			return sent{}, err
		}
		size += len(line)
		if len(line) == 0 {
			e.id = id
			ev.id = id
			return ev, nil
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			ev.name = string(value)
		case "data":
			if ev.data != nil {
				ev.data = append(ev.data, '\n')
			}
			ev.data = append(ev.data, value...)
		case "id":
			if !bytes.ContainsRune(value, 0) {
				id = string(value)
			}
		}
	}
}

// line gives a line without its end. It ends with \n or \r\n.
func (e *events) line(most int) ([]byte, error) {
	var whole []byte
	for {
		part, err := e.r.ReadSlice('\n')
		if len(whole)+len(part) > most+2 {
			return nil, errEventTooLong
		}
		whole = append(whole, part...)
		switch {
		case err == nil:
			return bytes.TrimSuffix(bytes.TrimSuffix(whole, []byte("\n")), []byte("\r")), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}
