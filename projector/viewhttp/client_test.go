package viewhttp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/viewhttp"
)

var (
	_ projector.Reader = (*viewhttp.Client)(nil)
	_ muster.ViewHost  = (*viewhttp.Client)(nil)
)

// Over HTTP a query gives what it gives without: keys and values byte for byte.
func TestClientReads(t *testing.T) {
	c := totals()
	for _, key := range []string{".", "..", "a/b//c", "\xff\x00", "?&=#%", " ", strings.Repeat("ü", 500)} {
		c.putRow(projector.RawRow{Key: key, Value: []byte("\xff" + key), ContentType: muster.ContentRaw, Shard: 3})
		c.counters[key] = int64(-len(key))
	}
	server := served(t, c, viewhttp.Options{})
	remote := client(t, server.URL+"/")
	queries := []projector.Query{
		{View: "totals"},
		{View: "totals", Version: 2, Prefix: "acc", Limit: 1},
		{View: "totals", Token: "acc-1\x000", Limit: 2},
		{View: "totals", From: "b", To: "\xff\xff", Reverse: true},
		{View: "totals", Index: "first", Key: "a", Shards: []int32{0, 3}},
		{View: "totals", Key: "none"},
		{View: "totals", Stale: true, AtLeast: []muster.Position{at(0), at(2)}},
	}
	for key := range c.counters {
		queries = append(queries, projector.Query{View: "totals", Key: key}, projector.Query{View: "totals", Counter: key})
	}
	for _, q := range queries {
		want, err := c.Read(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		got, err := remote.Read(t.Context(), q)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%+v: %v\n%s", q, err, diff)
		}
		if all := c.asked(); cmp.Diff(all[len(all)-1], all[len(all)-2]) != "" {
			t.Errorf("asked for %+v, arrived %+v", all[len(all)-2], all[len(all)-1])
		}
	}
}

// hurriedContext is a context with a deadline that ends nothing: the service is told of it, and an answer that comes late on a busy machine is still read.
type hurriedContext struct {
	context.Context
	until time.Time
}

func hurried(t *testing.T, limit time.Duration) context.Context {
	return hurriedContext{t.Context(), time.Now().Add(limit)}
}

// Deadline gives what the service is told.
func (c hurriedContext) Deadline() (time.Time, bool) { return c.until, true }

// Errors come back with their codes; what is no query service, or none at all, says so.
func TestClientErrors(t *testing.T) {
	c := totals()
	server := served(t, c, viewhttp.Options{})
	remote := client(t, server.URL)
	for code := muster.Cancelled; code.Valid(); code++ {
		fail := muster.Errorf(code, "said %d", code)
		fail.Reason, fail.Retry = "why", true
		c.change(func() { c.fail = fail })
		_, err := remote.Read(t.Context(), projector.Query{View: "totals"})
		var got *muster.Error
		if !errors.As(err, &got) || got.Code != code || got.Message != fail.Message || got.Reason != "why" || !got.Retry || !got.Remote {
			t.Errorf("%v: got %v", code, err)
		}
	}
	c.change(func() { c.fail = nil })
	if err := remote.AwaitView(hurried(t, 200*time.Millisecond), "totals", 0, at(99)); muster.CodeOf(err) != muster.DeadlineExceeded || muster.ReasonOf(err) != viewhttp.ReasonNotReached {
		t.Errorf("a position that does not come: %v", err)
	}
	if err := remote.AwaitView(t.Context(), "totals", 2, at(2)); err != nil {
		t.Error(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := remote.Read(gone, projector.Query{View: "totals"}); muster.CodeOf(err) != muster.Cancelled || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for name, status := range map[string]int{"<html>": 502, "{}": 404, "ok": 200} {
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, name)
		}))
		if _, err := client(t, proxy.URL).Read(t.Context(), projector.Query{View: "totals"}); err == nil || muster.ReasonOf(err) != viewhttp.ReasonUnreachable {
			t.Errorf("%s: %v", name, err)
		}
		proxy.Close()
		_, err := client(t, proxy.URL).Read(t.Context(), projector.Query{View: "totals", Key: "private"})
		if muster.CodeOf(err) != muster.Unavailable || strings.Contains(err.Error(), "private") {
			t.Errorf("nobody there: %v", err)
		}
	}
	for _, base := range []string{"", "10.0.0.7:8080", "ftp://x", "http://", "http://x?y", "http://\x00"} {
		if _, err := viewhttp.NewClient(base, nil); muster.CodeOf(err) != muster.InvalidArgument {
			t.Errorf("%q: %v", base, err)
		}
	}
}

// mirror is what a watcher knows of the rows.
type mirror struct {
	mu     sync.Mutex // guards the rest
	rows   map[string]string
	resets int
}

func (m *mirror) take(u projector.Update) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if u.Reset {
		m.rows, m.resets = map[string]string{}, m.resets+1
	}
	switch {
	case u.Row.Key == "":
	case u.Deleted:
		delete(m.rows, u.Row.Key)
	default:
		m.rows[u.Row.Key] = string(u.Row.Value)
	}
	return nil
}

// until waits for the mirror to be as wanted.
func (m *mirror) until(t *testing.T, want map[string]string) {
	t.Helper()
	var diff string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		m.mu.Lock()
		diff = cmp.Diff(want, m.rows)
		m.mu.Unlock()
		if diff == "" {
			return
		}
		select {
		case <-t.Context().Done():
		case <-time.After(time.Millisecond):
		}
	}
	t.Fatalf("the watcher does not have the rows:\n%s", diff)
}

// cutting is a transport whose streams break after a number of bytes, a different one each time.
type cutting struct {
	mu    sync.Mutex // guards opens
	opens int
}

func (c *cutting) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || !strings.HasSuffix(r.URL.Path, "/watch") {
		return answer, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opens++
	answer.Body = &cutBody{answer.Body, c.opens * 37 % 1000}
	return answer, nil
}

type cutBody struct {
	inner interface {
		Read(b []byte) (int, error)
		Close() error
	}
	left int
}

func (b *cutBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, &net.OpError{Op: "read", Err: errors.New("connection reset by peer")}
	}
	n, err := b.inner.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func (b *cutBody) Close() error { return b.inner.Close() }

// A watch whose connection breaks every few hundred bytes, in the middle of events, ends up with every change and no row too many.
func TestWatchSurvivesCuts(t *testing.T) {
	c := newCopy("totals@1")
	c.put("acc-0", `0`)
	server := served(t, c, viewhttp.Options{})
	transport := &cutting{}
	through, err := viewhttp.NewClient(server.URL, &http.Client{Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	m := &mirror{rows: map[string]string{}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- through.Hasty(time.Minute).Watch(ctx, projector.Query{View: "totals"}, m.take) }()
	m.until(t, map[string]string{"acc-0": "0"})
	want := map[string]string{}
	for i := range 300 {
		key := fmt.Sprintf("acc-%d", i%5)
		if i%7 == 3 {
			c.drop(key)
			delete(want, key)
			continue
		}
		c.put(key, fmt.Sprint(i))
		want[key] = fmt.Sprint(i)
		if i%50 == 0 {
			m.until(t, want)
		}
	}
	m.until(t, want)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if transport.opens < 5 || m.resets < 4 {
		t.Errorf("%d connections, %d resets: nothing was cut", transport.opens, m.resets)
	}
}

// A watch ends with the error of fn, with one that does not pass, and at once where it could never begin; a silent stream is opened again.
func TestWatchEnds(t *testing.T) {
	c := totals()
	server := served(t, c, viewhttp.Options{})
	remote := client(t, server.URL)
	mine := errors.New("mine")
	q := projector.Query{View: "totals"}
	if err := remote.Watch(t.Context(), q, func(projector.Update) error { return mine }); !errors.Is(err, mine) {
		t.Error(err)
	}
	if err := remote.Watch(t.Context(), projector.Query{View: "none"}, nil); muster.CodeOf(err) != muster.NotFound {
		t.Error(err)
	}
	err := remote.Watch(t.Context(), q, func(projector.Update) error {
		c.change(func() { c.broke = muster.Errorf(muster.DataLoss, "gone for good") })
		return nil
	})
	if muster.CodeOf(err) != muster.DataLoss {
		t.Error(err)
	}
	away := httptest.NewServer(nil)
	away.Close()
	if err := client(t, away.URL).Watch(t.Context(), q, nil); muster.CodeOf(err) != muster.Unavailable {
		t.Error(err)
	}
	var opens atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if opens.Add(1) == 3 {
			cancel()
		}
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer silent.Close()
	if err := client(t, silent.URL).Hasty(10*time.Millisecond).Watch(ctx, q, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// What is no stream of ours is no more than an error.
func FuzzEvents(f *testing.F) {
	f.Add([]byte("retry: 1000\n\nevent: row\nid: a\ndata: {}\r\n\r\n:\n\ndata: 1\ndata: 2\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		stream := viewhttp.NewEvents(bytes.NewReader(b), 1000)
		for range len(b) + 1 {
			name, id, data, err := stream.Next()
			if err != nil {
				return
			}
			if strings.Contains(name+id, "\n") || strings.Contains(id, "\x00") || len(data) > 1000 {
				t.Errorf("%q %q %q", name, id, data)
			}
		}
		t.Error("more events than bytes")
	})
}

// Who has applied nothing of a partition gives a page that can be read: there is no token of nothing.
func TestClientReadsOfAnEmptyPartition(t *testing.T) {
	server := served(t, newCopy("totals@1"), viewhttp.Options{})
	page, err := client(t, server.URL).Read(t.Context(), projector.Query{View: "totals"})
	if err != nil || len(page.At) > 0 || page.View != "totals@1" {
		t.Errorf("%+v, %v", page, err)
	}
}
