package viewhttp

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// Routing is what a [Router] works with.
type Routing struct {
	Self      string           // name of this instance
	Local     projector.Reader // what is held in this process; also a [muster.ViewHost] where one waits for positions
	Directory Directory
	// HTTP asks other instances. Nil means http.DefaultClient; its transport adds the credentials their Authorize wants.
	HTTP *http.Client
	// Tries bounds how often a read is tried while shards move. Zero means 8, which takes about 4 s.
	Tries int
}

// Router is a [projector.Reader] over all instances that run a view: it asks those that hold what is asked for. It may be used from several
// goroutines and has nothing to close.
type Router struct {
	r     Routing
	pause pause
}

// NewRouter makes one. Put it behind a [Handler] whose Options.Local is the same local reader.
func NewRouter(r Routing) *Router {
	r.Tries = orDefault(r.Tries, 8)
	return &Router{r: r, pause: pause{first: 50 * time.Millisecond, top: time.Second}}
}

// moved tells whether an error says that what was asked for may be elsewhere by now.
func moved(err error) bool {
	e, is := errors.AsType[*muster.Error](err)
	return errors.Is(err, muster.ErrNotHeld) || is && e != nil && e.Code == muster.Unavailable && e.Retry
}

// retry does something with the layout of a view, and again with a fresh one where something has moved.
func (r *Router) retry(ctx context.Context, view string, version int, do func(l *Layout) error) error {
	for try := 0; ; try++ {
		l, err := r.r.Directory.Layout(ctx, view, version, try > 0)
		if err == nil {
			err = do(&l)
		}
		if err == nil || !moved(err) {
			return err
		}
		if try+1 >= r.r.Tries {
			last, _ := faultOf(err)
			return away(ReasonMoved, "view %s cannot be read now, %d tries found it elsewhere or moving: %s", view, try+1, last.Message)
		}
		if !r.pause.wait(ctx, try) {
			return ctx.Err()
		}
	}
}

// Read gives rows of all shards that a query is about, in the order of their keys, as [projector.Reader] says. The rows of one instance are from
// one snapshot, and those of all are from one version and generation: where instances differ, as in the moment in which a rebuild takes over, they
// are asked again. A token goes on with the version its page had, also after a switch, and with the generation: when a rebuild has put another one in its
// place, that is Aborted with reason [projector.ReasonGeneration].
func (r *Router) Read(ctx context.Context, q projector.Query) (projector.Page, error) {
	if err := unwrapToken(&q); err != nil {
		return projector.Page{}, err
	}
	var page projector.Page
	err := r.retry(ctx, q.View, q.Version, func(l *Layout) (err error) {
		page, err = r.attempt(ctx, q, l)
		return err
	})
	return page, notReached(ctx, err, q.AtLeast)
}

// attempt reads with one layout.
func (r *Router) attempt(ctx context.Context, q projector.Query, l *Layout) (projector.Page, error) {
	if q.Stale && l.copied(&q, r.r.Self) {
		if page, err := r.copyHere(ctx, q, l); err == nil {
			return wrapToken(page, l.Version), nil
		}
	}
	groups, err := l.groups(&q)
	var pages []projector.Page
	if err == nil {
		q.Version = l.Version
		pages, err = r.ask(ctx, q, l, groups)
	}
	if err != nil && q.Stale && len(l.Copies) > 0 && moved(err) { // who holds it does not answer, and who has a copy may
		if groups, err = l.copies(&q); err == nil {
			q.Version = l.Version
			pages, err = r.ask(ctx, q, l, groups)
		}
		if err != nil {
			if page, here := r.copyHere(ctx, q, l); here == nil {
				return wrapToken(page, l.Version), nil
			}
		}
	}
	if err != nil {
		return projector.Page{}, err
	}
	m := merging{q: &q, layout: l, pages: pages}
	page, err := m.page()
	if err == nil && l.Merge != nil && q.Index != "" && len(groups) > 1 {
		err = r.whole(ctx, q, l, &page)
	}
	return wrapToken(page, l.Version), err
}

// copyHere reads what this process has, however old, if it has all of it. Positions it waits for count for copies too.
func (r *Router) copyHere(ctx context.Context, q projector.Query, l *Layout) (projector.Page, error) {
	q.Version, q.Shards = l.Version, l.about(&q)
	var err error
	if q.AtLeast, err = l.awaited(&q, q.Shards); err != nil {
		return projector.Page{}, err
	}
	return r.r.Local.Read(ctx, q)
}

func orAll(given, all []int32) []int32 {
	if len(given) > 0 {
		return given
	}
	return all
}

// ask asks several instances at once. The first error ends it.
func (r *Router) ask(ctx context.Context, q projector.Query, l *Layout, groups []group) ([]projector.Page, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	pages := make([]projector.Page, len(groups))
	var asking sync.WaitGroup
	for i, g := range groups {
		asking.Go(func() {
			var err error
			if pages[i], err = r.askOne(ctx, q, l, g); err != nil {
				cancel(err)
			}
		})
	}
	asking.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return pages, nil
}

func (r *Router) askOne(ctx context.Context, q projector.Query, l *Layout, g group) (page projector.Page, err error) {
	q.Shards = g.shards
	if q.AtLeast, err = l.awaited(&q, g.shards); err != nil {
		return page, err
	}
	reader, err := r.reader(g.holder)
	if err != nil {
		return page, err
	}
	page, err = reader.Read(ctx, q)
	if err == nil && page.Stale && !q.Stale { // it was lost while it was read
		err = away(ReasonMoved, "view %s: instance %s lost a shard while it was read; ask again", page.View, g.holder.Name)
	}
	return page, err
}

// source is what an instance is asked through.
type source interface {
	projector.Reader
	muster.ViewHost
}

// localSource is this instance.
type localSource struct {
	projector.Reader
	muster.ViewHost
}

// reader gives what asks an instance.
func (r *Router) reader(at projector.Instance) (source, error) {
	if at.Name == r.r.Self {
		host, _ := r.r.Local.(muster.ViewHost)
		return localSource{r.r.Local, host}, nil
	}
	if at.Address == "" {
		return nil, away(ReasonNoAddress, "instance %s has no query service; give it an address", at.Name)
	}
	c, err := NewClient(at.Address, r.r.HTTP)
	if err != nil {
		return nil, away(ReasonNoAddress, "instance %s advertises %q as the address of its query service, which is none; correct its configuration", at.Name, at.Address)
	}
	return c.direct(), nil
}

// AwaitView waits on the instance that holds the shard of a position, see [muster.ViewHost].
func (r *Router) AwaitView(ctx context.Context, name string, version int, pos muster.Position) error {
	if pos.IsZero() {
		return nil
	}
	err := r.retry(ctx, name, version, func(l *Layout) error {
		q := projector.Query{View: name, AtLeast: []muster.Position{pos}}
		if _, err := l.awaited(&q, nil); err != nil {
			return err
		}
		shard, _ := l.Sources(pos)
		q.Shards = []int32{shard}
		groups, err := l.groups(&q)
		if err != nil {
			return err
		}
		reader, err := r.reader(groups[0].holder)
		if err != nil {
			return err
		}
		if local, is := reader.(localSource); is && local.ViewHost == nil {
			q.Version, q.Limit = l.Version, 1
			_, err := reader.Read(ctx, q)
			return err
		}
		return reader.AwaitView(ctx, name, l.Version, pos)
	})
	return notReached(ctx, err, []muster.Position{pos})
}

// wrapToken puts the version into the token of a page, so that all pages are of one.
func wrapToken(p projector.Page, version int) projector.Page {
	if p.Token != "" {
		p.Token = strconv.Itoa(version) + "." + p.Token
	}
	return p
}

func unwrapToken(q *projector.Query) error {
	if q.Token == "" {
		return nil
	}
	number, token, _ := strings.Cut(q.Token, ".")
	version, err := strconv.Atoi(number)
	if err != nil || version < 1 || token == "" || strconv.Itoa(version) != number || q.Version != 0 && q.Version != version {
		return badRequest("this is no token of a page of view %s; pass on the one the page gave, unchanged and with the same query", q.View)
	}
	q.Version, q.Token = version, token
	return nil
}

// whole reads each row of a page by its key: of an index, an instance merges only what it holds itself.
func (r *Router) whole(ctx context.Context, q projector.Query, l *Layout, all *projector.Page) error {
	rows := all.Rows
	for i := range rows {
		one := projector.Query{View: q.View, Version: q.Version, Key: rows[i].Key, Shards: q.Shards, Stale: q.Stale}
		page, err := r.attempt(ctx, one, l)
		if err == nil {
			err = oneGeneration(all, &page)
		}
		if err != nil {
			return err
		}
		if len(page.Rows) > 0 { // else it has gone meanwhile: it was there when the page was read
			order, shard := rows[i].Order, rows[i].Shard
			rows[i] = page.Rows[0]
			rows[i].Order, rows[i].Shard = order, shard
		}
	}
	return nil
}
