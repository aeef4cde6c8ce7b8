package viewhttp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// Client reads views over HTTP. It is a [projector.Reader], so that the typed methods of a view work over it, and a [muster.ViewHost], so that
// one can wait for a position from another process. It may be used from several goroutines and has nothing to close.
type Client struct {
	base   string // without the slash at the end
	http   *http.Client
	routed bool // marks requests as routed: the instance asked answers from what it holds
	quiet  time.Duration
	pause  pause
}

const (
	clientTimeout = 10 * time.Second // of a read whose context has no deadline
	clientGrace   = 2 * time.Second  // for an answer to come after the time the service has for it
	maxAnswer     = 64 << 20         // bytes of a page
	quietLimit    = 45 * time.Second // a stream without a sign of life for so long is dead: three heartbeats
)

// NewClient makes a client of the query service at base, such as http://10.0.0.7:8080. What a service behind a proxy has in front of /views
// belongs to it. A nil h means http.DefaultClient; give one whose transport adds credentials or knows certificates. It must have no Timeout,
// which would cut streams.
func NewClient(base string, h *http.Client) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, muster.Errorf(muster.InvalidArgument, "the address of a query service is a URL such as http://10.0.0.7:8080; %.200q is none", base)
	}
	if h == nil {
		h = http.DefaultClient
	}
	return &Client{base: strings.TrimRight(base, "/"), http: h, quiet: quietLimit, pause: pause{first: 100 * time.Millisecond, top: 5 * time.Second}}, nil
}

// direct gives a client for requests between instances.
func (c *Client) direct() *Client {
	d := *c
	d.routed = true
	return &d
}

// Read gives rows. A row that is not there is a page without rows.
func (c *Client) Read(ctx context.Context, q projector.Query) (projector.Page, error) {
	values := encode(q)
	path := pathOf(q) + "/rows"
	if q.Counter != "" {
		path = pathOf(q) + "/counters/" + segment(q.Counter)
	}
	body, err := c.get(ctx, path, values)
	if err != nil {
		return projector.Page{}, err
	}
	var stored storedPage
	if err := json.Unmarshal(body, &stored); err != nil {
		return projector.Page{}, muster.Errorf(muster.Internal, "the query service at %s gave a page that cannot be decoded: %v", c.base, err)
	}
	at, err := positionsOf(stored.Position)
	if err != nil {
		return projector.Page{}, muster.Errorf(muster.Internal, "the query service at %s gave a position that cannot be decoded", c.base)
	}
	page := projector.Page{View: stored.View, Generation: -1, Token: stored.Token, At: at, Counter: stored.Counter, Stale: stored.Stale}
	if stored.Generation != nil {
		page.Generation = *stored.Generation
	}
	for _, r := range stored.Rows {
		page.Rows = append(page.Rows, r.open())
	}
	return page, nil
}

// AwaitView returns when the view has applied the journal up to pos, see [muster.ViewHost].
func (c *Client) AwaitView(ctx context.Context, name string, version int, pos muster.Position) error {
	if pos.IsZero() {
		return nil
	}
	_, err := c.get(ctx, pathOf(projector.Query{View: name, Version: version})+"/wait", url.Values{"min-position": {pos.Token()}})
	return err
}

// segment encodes a key as one part of a path. Dots alone would be taken for directories on the way.
func segment(key string) string {
	if key == "." || key == ".." {
		return strings.ReplaceAll(key, ".", "%2E")
	}
	return url.PathEscape(key)
}

// get asks once. The service is told how long it has, so that it is the one that says why it took too long.
func (c *Client) get(ctx context.Context, path string, values url.Values) ([]byte, error) {
	limit := clientTimeout
	if deadline, has := ctx.Deadline(); has {
		limit = time.Until(deadline)
	}
	if limit <= 0 {
		return nil, c.lost(ctx, context.DeadlineExceeded)
	}
	whole, cancel := context.WithTimeout(ctx, limit+clientGrace)
	defer cancel()
	values.Set("timeout", told(limit).String())
	r, err := c.ask(whole, path, values, "")
	if err != nil {
		return nil, c.lost(whole, err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, c.lost(whole, err)
	case len(body) > maxAnswer:
		return nil, muster.Errorf(muster.ResourceExhausted, "the query service at %s gave more than %d bytes; ask for fewer rows", c.base, maxAnswer)
	case r.StatusCode == http.StatusNoContent:
		return nil, nil
	case r.StatusCode != http.StatusOK:
		return nil, errorOf(r.StatusCode, body)
	case r.Header.Get(HeaderForm) != formStored:
		return nil, errorOf(r.StatusCode, nil)
	}
	return body, nil
}

// told is the time a service gets: a tenth less than the caller has, so that its answer arrives in time.
func told(limit time.Duration) time.Duration {
	return max(limit-min(limit/10, 200*time.Millisecond), time.Millisecond).Round(time.Millisecond)
}

// ask sends a request.
func (c *Client) ask(ctx context.Context, path string, values url.Values, last string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path+"?"+values.Encode(), nil)
	if err != nil {
		return nil, err
	}
	if c.routed {
		r.Header.Set(HeaderRouted, "1")
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	return c.http.Do(r)
}

// lost is the error of a request without an answer. What the caller's context says goes first.
func (c *Client) lost(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil || errors.Is(err, context.DeadlineExceeded) {
		if cause == nil {
			cause = context.DeadlineExceeded
		}
		return fmt.Errorf("%w (%w)", muster.Errorf(muster.CodeOf(cause), "the query service at %s did not answer in time; try again or give it longer", c.base), cause)
	}
	if inner, is := errors.AsType[*url.Error](err); is {
		err = inner.Err // its own text repeats the keys that were asked for
	}
	return away(ReasonUnreachable, "the query service at %s does not answer: %v; try again", c.base, err)
}
