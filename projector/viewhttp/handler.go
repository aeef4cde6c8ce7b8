package viewhttp

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// Handler serves views over HTTP, read only:
//
//	GET /views/{view}/rows/{key}       one row
//	GET /views/{view}/rows             a page of rows: key, or prefix, from, to, or index with index_key or prefix; limit, token, reverse
//	GET /views/{view}/counters/{name}  a counter
//	GET /views/{view}/watch            the rows and then their changes, as server-sent events; key, prefix, from, to
//	GET /views/{view}/wait             204 when min-position is applied
//
// {view} is totals, which is the version that serves, or totals@2. All take min-position, or the header Muster-Min-Position, and timeout; all
// but wait take stale. Other parameters are refused.
type Handler struct {
	reader projector.Reader
	opts   Options
	mux    *http.ServeMux
	reads  chan struct{} // a place for each read under way
	opens  chan struct{} // and for each watch

	mu     sync.Mutex                      // guards closed and ends, and that nothing is added to active once closed
	closed bool                            // set by Close
	ends   map[*written]context.CancelFunc // of the requests under way, for Close
	active sync.WaitGroup                  // likewise
}

// New makes a handler that answers from a reader. Close it when its service ends.
func New(reader projector.Reader, opts Options) *Handler {
	h := &Handler{reader: reader, opts: opts.withDefaults(), mux: http.NewServeMux(), ends: map[*written]context.CancelFunc{}}
	h.reads, h.opens = make(chan struct{}, h.opts.Reads), make(chan struct{}, h.opts.Watches)
	h.handle("/views/{view}/rows/{key}", h.serveRow)
	h.handle("/views/{view}/rows", h.serveRows)
	h.handle("/views/{view}/counters/{name}", h.serveCounter)
	h.handle("/views/{view}/wait", h.serveWait)
	h.handle("/views/{view}/letters", h.serveLetters)
	h.mux.HandleFunc("GET /views/{view}/watch", h.guard(h.opens, ReasonTooManyWatchers, h.serveWatch))
	return h
}

func (h *Handler) handle(pattern string, serve func(http.ResponseWriter, *http.Request) error) {
	h.mux.HandleFunc("GET "+pattern, h.guard(h.reads, ReasonTooManyReads, serve))
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// Close ends the requests under way and waits for them; those that come later are refused as UNAVAILABLE.
func (h *Handler) Close() {
	h.mu.Lock()
	h.closed = true
	for _, end := range h.ends {
		end()
	}
	h.mu.Unlock()
	h.active.Wait()
}

// enter counts a request, unless the handler is closed.
func (h *Handler) enter(w *written, end context.CancelFunc) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.active.Add(1)
	h.ends[w] = end
	return true
}

func (h *Handler) leave(w *written) {
	h.mu.Lock()
	delete(h.ends, w)
	h.mu.Unlock()
	h.active.Done()
}

// ended tells whether the handler is closed.
func (h *Handler) ended() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closed
}

var errClosed = &muster.Error{Code: muster.Unavailable, Message: "the query service is shutting down; ask another instance", Reason: "shutting-down", Retry: true}

// guard is what all requests pass: limits, rights, and the end of a panic.
func (h *Handler) guard(places chan struct{}, full string, serve func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		sent := &written{ResponseWriter: w}
		if !h.enter(sent, cancel) {
			refuse(w, errClosed)
			return
		}
		defer h.leave(sent)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
		default:
			e := muster.Errorf(muster.ResourceExhausted, "this instance has %d requests of this kind under way; ask later", cap(places))
			e.Reason, e.Retry = full, true
			refuse(w, e)
			return
		}
		if err := h.attempt(ctx, sent, r.WithContext(ctx), serve); err != nil {
			if h.ended() {
				err = errClosed
			}
			if _, code := faultOf(err); code == muster.Internal || code == muster.DataLoss {
				h.opts.Logger.ErrorContext(ctx, "view query failed", "view", r.PathValue("view"), "error", err)
			}
			if !sent.wrote { // else the end of the answer says it
				refuse(w, err)
			}
		}
	}
}

// written notes whether an answer has begun.
type written struct {
	http.ResponseWriter
	wrote bool
}

// WriteHeader notes it.
func (w *written) WriteHeader(status int) {
	w.wrote = true
	w.ResponseWriter.WriteHeader(status)
}

// Write notes it.
func (w *written) Write(b []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *written) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// attempt runs one request; a panic of the reader is an error.
func (h *Handler) attempt(ctx context.Context, w http.ResponseWriter, r *http.Request, serve func(http.ResponseWriter, *http.Request) error) (err error) {
	defer func() {
		if p := recover(); p == http.ErrAbortHandler { //nolint:errorlint // the value itself, as net/http compares it
			panic(p) //nolint:forbidigo // net/http's own way to cut an answer short
		} else if p != nil {
			h.opts.Logger.ErrorContext(ctx, "view query panicked", "view", r.PathValue("view"))
			err = muster.Errorf(muster.Internal, "the query failed; the log of the service says why")
		}
	}()
	if err := admit(r); err != nil {
		return err
	}
	if h.opts.Authorize != nil {
		if err := h.opts.Authorize(r); err != nil {
			return denied(err)
		}
	}
	return serve(w, r)
}

// admit refuses what no query has.
func admit(r *http.Request) error {
	size := len(r.RequestURI)
	for name, values := range r.Header {
		for _, v := range values {
			size += len(name) + len(v) + 4
		}
	}
	if size > maxRequest {
		return badRequest("the request line and its headers have %d bytes; at most %d are taken", size, maxRequest)
	}
	if r.ContentLength != 0 {
		return badRequest("a query has no body")
	}
	return nil
}

// denied is the error of an authorisation as the caller gets it.
func denied(err error) error {
	if f, code := faultOf(err); code != muster.Internal || f.Message == "" {
		return err
	}
	return muster.Errorf(muster.PermissionDenied, "you may not read this view")
}

// readerFor gives what answers a request: of one that was routed here, this process alone.
func (h *Handler) readerFor(r *http.Request) projector.Reader {
	if h.opts.Local != nil && r.Header.Get(HeaderRouted) != "" {
		return h.opts.Local
	}
	return h.reader
}

// bounded gives the context of a request, and sees to it that the server's own deadline lets the answer out.
func (h *Handler) bounded(w http.ResponseWriter, r *http.Request, asked time.Duration) (context.Context, context.CancelFunc) {
	limit := min(orDefault(asked, h.opts.Timeout), h.opts.MaxTimeout)
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit + h.opts.WriteTimeout)) // not every writer has one
	return context.WithTimeout(r.Context(), limit)
}
