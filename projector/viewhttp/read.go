package viewhttp

import (
	"context"
	"net/http"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

func (h *Handler) serveRow(w http.ResponseWriter, r *http.Request) error {
	d, err := demandOf(r, common)
	if err != nil {
		return err
	}
	d.query.Key, d.raw = r.PathValue("key"), wantsRaw(r)
	if len(d.query.Key) > maxKey {
		return badRequest("the key has %d bytes; at most %d are taken", len(d.query.Key), maxKey)
	}
	p, err := h.read(w, r, d)
	if err != nil {
		return err
	}
	return h.writeRow(w, d, p)
}

func (h *Handler) serveRows(w http.ResponseWriter, r *http.Request) error {
	d, err := demandOf(r, ofRows)
	if err != nil {
		return err
	}
	p, err := h.read(w, r, d)
	if err != nil {
		return err
	}
	return h.writePage(w, d, p)
}

func (h *Handler) serveCounter(w http.ResponseWriter, r *http.Request) error {
	d, err := demandOf(r, common)
	if err != nil {
		return err
	}
	d.query.Counter = r.PathValue("name")
	if len(d.query.Counter) > maxKey {
		return badRequest("the name has %d bytes; at most %d are taken", len(d.query.Counter), maxKey)
	}
	p, err := h.read(w, r, d)
	if err != nil {
		return err
	}
	if d.stored {
		return h.writePage(w, d, p)
	}
	return write(w, counter{View: p.View, Name: d.query.Counter, Value: p.Counter, Position: head(w, p), Stale: p.Stale})
}

// read asks the reader, within the time the request has.
func (h *Handler) read(w http.ResponseWriter, r *http.Request, d demand) (projector.Page, error) {
	ctx, cancel := h.bounded(w, r, d.timeout)
	defer cancel()
	reader := h.readerFor(r)
	p, err := reader.Read(ctx, d.query)
	if err == nil {
		if fit := h.fitting(p); fit < len(p.Rows) { // only the reader can make a token for a smaller page
			d.query.Limit = fit
			p, err = reader.Read(ctx, d.query)
		}
	}
	if err == nil && p.Stale && !d.query.Stale {
		err = away("stale", "view %s is held by no instance now; ask again, or take rows that may be old with stale=true", p.View)
	}
	return p, notReached(ctx, err, d.query.AtLeast)
}

// fitting gives how many rows of a page may leave as one, at least 1.
func (h *Handler) fitting(p projector.Page) int {
	size := 0
	for i, r := range p.Rows {
		if size += len(r.Key) + len(r.Value); size > h.opts.PageBytes && i > 0 {
			return i
		}
	}
	return len(p.Rows)
}

// serveWait answers with 204 when the positions are applied.
func (h *Handler) serveWait(w http.ResponseWriter, r *http.Request) error {
	d, err := demandOf(r, ofWait)
	if err != nil {
		return err
	}
	q := d.query
	if len(q.AtLeast) == 0 {
		return badRequest("say what to wait for with min-position")
	}
	ctx, cancel := h.bounded(w, r, d.timeout)
	defer cancel()
	if err := h.await(ctx, r, q); err != nil {
		return notReached(ctx, err, q.AtLeast)
	}
	w.Header().Set(HeaderPosition, tokensOf(q.AtLeast))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *Handler) await(ctx context.Context, r *http.Request, q projector.Query) error {
	reader := h.readerFor(r)
	host := h.opts.Host
	if r.Header.Get(HeaderRouted) != "" && (h.opts.LocalHost != nil || h.opts.Local != nil) {
		host = h.opts.LocalHost
	}
	if own, is := reader.(muster.ViewHost); is && host == nil {
		host = own
	}
	if host == nil {
		q.Limit = 1
		_, err := reader.Read(ctx, q)
		return err
	}
	for _, p := range q.AtLeast {
		if err := host.AwaitView(ctx, q.View, q.Version, p); err != nil {
			return err
		}
	}
	return nil
}
