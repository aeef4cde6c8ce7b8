package viewhttp_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector/viewhttp"
)

// opened is a stream as a browser reads it.
type opened struct {
	answer *http.Response
	events *viewhttp.EventStream
}

type event struct{ name, id, data string }

func open(t *testing.T, url, last string) *opened {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return &opened{answer, viewhttp.NewEvents(answer.Body, 1<<20)}
}

// read gives the next event that is none of the comments.
func (o *opened) read() (event, bool) {
	for {
		name, id, data, err := o.events.Next()
		if err != nil {
			return event{data: err.Error()}, false
		}
		if name != "" {
			return event{name, id, data}, true
		}
	}
}

func (o *opened) next(t *testing.T) event {
	t.Helper()
	ev, more := o.read()
	if !more {
		t.Fatalf("the stream has ended: %v", ev)
	}
	return ev
}

func (o *opened) want(t *testing.T, name, says string) event {
	t.Helper()
	ev := o.next(t)
	if ev.name != name || !strings.Contains(ev.data, says) {
		t.Fatalf("got %v, want %s with %s", ev, name, says)
	}
	return ev
}

func client(t *testing.T, url string) *viewhttp.Client {
	t.Helper()
	c, err := viewhttp.NewClient(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Hasty(time.Minute)
}

// A stream shows the rows, then what changes; who comes back gets a reset and the rows as they are.
func TestStream(t *testing.T) {
	c := newCopy("totals@1")
	c.put("acc-1", `{"balance":1}`)
	server := served(t, c, viewhttp.Options{})
	s := open(t, server.URL+"/views/totals/watch?prefix=acc", "")
	if kind := s.answer.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Errorf("content type %q", kind)
	}
	first := s.want(t, "row", `{"key":"acc-1","value":{"balance":1}}`)
	c.put("other", `{}`)
	c.put("acc-2", `{"balance":2}`)
	s.want(t, "row", `{"key":"acc-2","value":{"balance":2}}`)
	c.drop("acc-1")
	last := s.want(t, "delete", `{"key":"acc-1"}`)
	if first.id == "" || first.id == last.id {
		t.Errorf("ids %q and %q", first.id, last.id)
	}
	again := open(t, server.URL+"/views/totals/watch?prefix=acc", last.id)
	again.want(t, "reset", "{}")
	again.want(t, "row", "acc-2")
	unreadable := open(t, server.URL+"/views/totals/watch?prefix=acc&last-event-id=17", "")
	unreadable.want(t, "reset", "{}")
	unreadable.want(t, "row", "acc-2")
}

// Who comes back to an instance that is behind sees nothing until it is as far as the reader was.
func TestStreamDoesNotGoBack(t *testing.T) {
	behind := newCopy("totals@1")
	behind.put("acc-1", `"old"`)
	server := served(t, behind, viewhttp.Options{})
	blocked := behind.whenBlocked()
	go func() {
		<-blocked
		behind.put("acc-1", `"new"`)
	}()
	s := open(t, server.URL+"/views/totals/watch", viewhttp.Reached{{Topic: topic}: 1}.EventID())
	s.want(t, "reset", "{}")
	s.want(t, "row", `"new"`)
}

// The ends of a stream: no place, an error before it begins and after, heartbeats, its age.
func TestStreamEnds(t *testing.T) {
	c := newCopy("totals@1")
	c.put("acc-1", `1`)
	server := served(t, c, viewhttp.Options{Watches: 1, Heartbeat: time.Millisecond})
	s := open(t, server.URL+"/views/totals/watch?key=none", "") // begins with a heartbeat
	if answer, body := ask(t, server.URL+"/views/totals/watch"); answer.StatusCode != http.StatusTooManyRequests || !strings.Contains(body, viewhttp.ReasonTooManyWatchers) {
		t.Errorf("one too many: %d %s", answer.StatusCode, body)
	}
	for range 3 {
		if name, _, data, err := s.events.Next(); err != nil || name != "" {
			t.Fatal(name, data, err)
		}
	}
	old := served(t, c, viewhttp.Options{Heartbeat: time.Millisecond, WatchAge: 50 * time.Millisecond})
	s = open(t, old.URL+"/views/totals/watch?key=none", "")
	for name := ""; name == ""; {
		var data string
		var err error
		if name, _, data, err = s.events.Next(); err != nil || name != "" && !strings.Contains(data, "watch-age") {
			t.Fatal(name, data, err)
		}
	}
	if ev, more := s.read(); more {
		t.Errorf("after the end: %v", ev)
	}
	s = open(t, served(t, c, viewhttp.Options{}).URL+"/views/totals/watch?key=acc-1", "")
	s.want(t, "row", "acc-1")
	c.change(func() { c.broke = muster.Errorf(muster.Unavailable, "the shard has moved") })
	s.want(t, "error", `{"code":"UNAVAILABLE","message":"the shard has moved"}`)
}

// rawWatch sends a request for a stream and reads nothing.
func rawWatch(t *testing.T, url string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprint(conn, "GET /views/totals/watch HTTP/1.1\r\nHost: muster\r\n\r\n")
	return conn
}

// fill makes changes that are far more than what sockets buffer, and gives the last value.
func fill(c *copyOf, changes int) string {
	large := strings.Repeat("x", 64<<10)
	for i := range changes {
		c.put("acc-1", fmt.Sprintf("%q", large+fmt.Sprint(i)))
	}
	return large + fmt.Sprint(changes-1)
}

// Who reads nothing for a while gets the latest value and not each one.
func TestSlowReader(t *testing.T) {
	const changes = 400
	c := newCopy("totals@1")
	server := served(t, c, viewhttp.Options{})
	conn := rawWatch(t, server.URL)
	last := fill(c, changes)
	body := viewhttp.NewEvents(conn, 1<<20) // with the marks of the chunks, which are fields that nobody knows
	rows := 0
	for {
		name, _, data, err := body.Next()
		if err != nil {
			t.Fatal(err)
		}
		if name == "row" {
			rows++
		}
		if strings.Contains(data, last) {
			break
		}
	}
	if rows > changes/2 {
		t.Errorf("%d rows of %d changes: the service kept the values", rows, changes)
	}
}

// Who reads nothing at all is cut off, and its place is free again.
func TestReaderThatDoesNotRead(t *testing.T) {
	c := newCopy("totals@1")
	server := served(t, c, viewhttp.Options{Watches: 1, WriteTimeout: 250 * time.Millisecond, Heartbeat: 10 * time.Millisecond})
	status := make([]byte, len("HTTP/1.1 200"))
	if _, err := io.ReadFull(rawWatch(t, server.URL), status); err != nil || string(status) != "HTTP/1.1 200" { // and nothing after that
		t.Fatalf("%s, %v", status, err)
	}
	ask := func() int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/views/totals/watch", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	if status := ask(); status != http.StatusTooManyRequests { // what was sent so far fits into the buffers, so it stays
		t.Fatalf("status %d beside a reader", status)
	}
	deadline := time.Now().Add(time.Minute)
	for ask() != http.StatusOK {
		if time.Now().After(deadline) {
			t.Fatal("the reader keeps its place")
		}
		fill(c, 20)
	}
}
