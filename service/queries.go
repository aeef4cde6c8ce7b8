package service

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/viewhttp"
)

// queries is the part of a service that answers queries of its views: from what is held here, and from other instances.
type queries struct {
	local   *localViews
	router  *viewhttp.Router
	handler *viewhttp.Handler
}

// openQueries makes it; it asks nobody yet.
func (s *Service) openQueries() {
	local := &localViews{s: s, live: map[liveShard]bool{}}
	router := viewhttp.NewRouter(viewhttp.Routing{
		Self: s.name, Local: local, Directory: &directory{s: s, looked: map[*projection]*look{}}, HTTP: s.cfg.QueryClient,
	})
	s.queries = &queries{local: local, router: router, handler: viewhttp.New(router, viewhttp.Options{
		Local: local, Host: s, Authorize: s.cfg.AuthorizeQuery, Message: s.rowMessage, Letters: s.lettersHere, Logger: s.log,
	})}
}

// QueryHandler answers queries of the service's views, and of its projections that are waited for, over HTTP: see [viewhttp.Handler]. It is part of
// [Service.Handler], under /views/; here it can be had without what is for operators. Config.QueryAddress says where others find it.
func (s *Service) QueryHandler() http.Handler {
	if s.queries == nil {
		return http.NotFoundHandler()
	}
	return s.queries.handler
}

// rowMessage gives an empty message of the type of a view's rows.
func (s *Service) rowMessage(view string) proto.Message {
	p, err := s.projection(view, 0)
	if err != nil {
		return nil
	}
	if typed, is := p.part.(interface{ Message() proto.Message }); is {
		return typed.Message()
	}
	return nil
}

// serving finds a projection; version 0 is the one that answers.
func (s *Service) serving(name string, version int) (*projection, error) {
	if version == 0 {
		entries, _ := control{s.control}.Entries()
		version, _, _ = projector.Serving(entries, name)
	}
	p, err := s.projection(name, version)
	if err == nil {
		err = p.series.Retired(p.Version())
	}
	return p, err
}

// liveShard is a shard that has caught up since it is held here.
type liveShard struct {
	projection string // name@version
	generation int
	number     int32
}

// localViews is what this instance holds of the views. A shard that has just come is not read before it has caught up: until then rows would be
// missing that were there at its holder before.
type localViews struct {
	s *Service

	mu   sync.Mutex // guards live
	live map[liveShard]bool
}

// changed notes what the runners tell.
func (l *localViews) changed(st *projector.Status) {
	if st.State == projector.Live && !st.Standby {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.live[liveShard{st.Projection, st.Generation, st.Shard}] = true
	}
}

func (l *localViews) released(shard projector.Shard) {
	if shard.Standby {
		return
	}
	l.forget(liveShard{shard.Projection, shard.Generation, shard.Number})
}

func (l *localViews) forget(shard liveShard) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.live, shard)
}

// readable tells whether the shards of a query have caught up. It names them in the query, so that nothing else is read.
func (l *localViews) readable(q *projector.Query) error {
	if l.s.views == nil {
		return muster.Errorf(muster.NotFound, "service %s has no views", l.s.cfg.Name)
	}
	p, err := l.s.serving(q.View, q.Version)
	if err != nil {
		return err
	}
	q.Version = p.Version()
	if q.Stale {
		return nil
	}
	r, err := p.runner()
	if err != nil {
		return err
	}
	generation := r.Generation()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(q.Shards) == 0 {
		for _, shard := range p.Shards(l.s.cfg.Prefix) {
			if l.live[liveShard{p.String(), generation, shard.Number}] {
				q.Shards = append(q.Shards, shard.Number)
			}
		}
	}
	if len(q.Shards) == 0 || slices.ContainsFunc(q.Shards, func(n int32) bool { return !l.live[liveShard{p.String(), generation, n}] }) {
		return &muster.Error{
			Code: muster.Unavailable, Reason: "not-caught-up", Retry: true,
			Message: "view " + p.String() + ": not all its shards that are asked for are held and caught up on this instance; ask again, or take rows that may be old",
		}
	}
	return nil
}

// kept has the store read shards that are here and caught up, also while their runner cannot reach the brokers and has let go of them.
func kept(q projector.Query) projector.Query {
	q.Stale = true
	return q
}

// Read implements [projector.Reader].
func (l *localViews) Read(ctx context.Context, q projector.Query) (projector.Page, error) {
	if err := l.readable(&q); err != nil {
		return projector.Page{}, err
	}
	page, err := l.s.views.Read(ctx, kept(q))
	page.Stale = q.Stale && page.Stale
	if err == nil { // a shard may have gone and come back meanwhile
		err = l.readable(&q)
	}
	return page, err
}

// Watch implements [projector.Reader].
func (l *localViews) Watch(ctx context.Context, q projector.Query, fn func(projector.Update) error) error {
	if err := l.readable(&q); err != nil {
		return err
	}
	return l.s.views.Watch(ctx, kept(q), fn)
}

// AwaitView implements [muster.ViewHost], of what is held here.
func (l *localViews) AwaitView(ctx context.Context, name string, version int, pos muster.Position) error {
	p, err := l.s.projection(name, version)
	if err != nil {
		return err
	}
	return p.await(ctx, pos)
}

// directory implements [viewhttp.Directory] with the consumer groups of the projections.
type directory struct {
	s *Service

	mu     sync.Mutex // guards looked
	looked map[*projection]*look
}

// look is what a consumer group said of who holds what.
type look struct {
	mu      sync.Mutex // guards the rest, and is held while the group is asked, so that one asks for all
	at      time.Time
	holders map[int32]projector.Instance
}

const (
	lookAge   = time.Second           // what was looked up counts for so long
	freshAge  = 50 * time.Millisecond // also for those who ask for a fresh look, since many do at once while shards move
	lookLimit = 5 * time.Second
)

// Layout implements [viewhttp.Directory].
func (d *directory) Layout(ctx context.Context, view string, version int, fresh bool) (viewhttp.Layout, error) {
	p, err := d.s.serving(view, version)
	if err != nil {
		return viewhttp.Layout{}, err
	}
	l := viewhttp.Layout{Version: p.Version()}
	reads := map[projector.Source]int32{}
	for _, shard := range p.Shards(d.s.cfg.Prefix) {
		l.Shards = append(l.Shards, shard.Number)
		for _, source := range shard.Sources {
			reads[source] = shard.Number
		}
	}
	l.Sources = func(pos muster.Position) (int32, bool) {
		shard, is := reads[projector.Source{Topic: pos.Topic, Partition: pos.Partition}]
		return shard, is
	}
	if _, known := p.Route(""); known && p.Placement() == projector.Sharded {
		l.ShardOf = func(key string) int32 {
			id, _ := p.Route(key)
			return kafka.Partition(id, int32(len(l.Shards)))
		}
	}
	if v, is := p.part.(projector.AnyView); is && projector.Merges(v) {
		l.Merge = func(rows []projector.RawRow) (projector.RawRow, error) {
			row, _, err := projector.MergeRaw(v, rows)
			return row, err
		}
	}
	l.Holders, err = d.holders(ctx, p, fresh)
	if err == nil && p.sharing != nil && p.Standbys() > 0 {
		l.Copies = map[int32][]projector.Instance{}
		for shard, all := range p.sharing.Copies() {
			for _, h := range all {
				l.Copies[shard] = append(l.Copies[shard], projector.Instance{Name: h.Instance, Address: h.Address})
			}
		}
	}
	return l, err
}

// holders gives who holds the shards of a projection. What is held here is known without asking.
func (d *directory) holders(ctx context.Context, p *projection, fresh bool) (map[int32]projector.Instance, error) {
	d.mu.Lock()
	seen := d.looked[p]
	if seen == nil {
		seen = &look{}
		d.looked[p] = seen
	}
	d.mu.Unlock()
	age := lookAge
	if fresh {
		age = freshAge
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	if seen.holders == nil || time.Since(seen.at) > age {
		ctx, cancel := context.WithTimeout(ctx, lookLimit)
		defer cancel()
		holders, err := d.s.Placement(ctx, p.Name(), p.Version())
		if err != nil {
			return nil, &muster.Error{
				Code: muster.Unavailable, Reason: "no-placement", Retry: true,
				Message: "projection " + p.String() + ": who holds its shards cannot be seen: " + err.Error(),
			}
		}
		seen.holders, seen.at = holders, time.Now()
	}
	return seen.holders, nil
}
