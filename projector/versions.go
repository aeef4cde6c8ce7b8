package projector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/seed-3eec0498/muster"
)

// VersionsConfig is what [Versions] needs.
type VersionsConfig struct {
	// Editions are the versions of one projection that this build has, each with where its results go and how its shards are shared.
	Editions []Edition
	// Runner is the configuration of their runners; Definition, Target, Membership, Generation and Mark are set by Versions.
	Runner Config
	// Journal opens what reads the journals for one runner, and gives what closes it behind that; version and generation that run side by side read
	// apart. Nil: Runner.Journal serves all.
	Journal func(ctx context.Context, d *Definition) (journal Journal, end func(), err error)
	// CopyJournal is the same for the copies of a runner, see [Standbys]. Nil: they are read from where the runner reads.
	CopyJournal func(ctx context.Context, d *Definition) (journal Journal, end func(), err error)
	// Serve hears which version and generation answers from now on, at the start too. May be nil.
	Serve func(name string, version, generation int)
	// Kept gives what is stored here of a projection, of versions that this build does not have, too. Nil means that it is not known.
	Kept func(name string) []Shard
	// WarmTime is how long rows of a shard are kept that is neither held here nor kept as a copy any more. Zero means for good.
	WarmTime time.Duration
}

// Edition is one version of a projection.
type Edition struct {
	Definition *Definition
	Target     Target
	Membership Membership // nil for [Replicated]
}

// Versions runs all versions of one projection in one process: what serves, what is built beside it, and what is kept for going back. It obeys the
// control table, as all instances do: a new version or generation is run beside the one that serves; when it has caught up on all instances, one
// entry of the table makes it serve on all of them; what was before goes when its time is over.
type Versions struct {
	config VersionsConfig
	name   string
	log    *slog.Logger

	mu      sync.Mutex // guards what follows
	runs    map[edition]*run
	serving edition
	fans    map[int]*fan // by version

	proof *proof                  // belongs to Run
	idle  map[idleShard]time.Time // likewise: since when
}

// run is a runner at work.
type run struct {
	runner  *Runner
	edition edition
	stop    context.CancelFunc
	ended   chan struct{} // closed when Run has returned
	end     func()        // closes its journal
}

// OpenVersions checks the configuration.
func OpenVersions(c VersionsConfig) (*Versions, error) {
	if len(c.Editions) == 0 {
		return nil, errors.New("projector.VersionsConfig: Editions is empty; give the versions to run")
	}
	v := &Versions{config: c, name: c.Editions[0].Definition.name, log: c.Runner.Logger, runs: map[edition]*run{}, fans: map[int]*fan{}}
	if v.log == nil {
		v.log = slog.New(slog.DiscardHandler)
	}
	if c.Runner.Control == nil {
		v.config.Runner.Control = NewMemoryControl()
	}
	if c.Runner.Now == nil {
		v.config.Runner.Now = time.Now
	}
	var faults []error
	seen := map[int]bool{}
	for _, e := range c.Editions {
		d := e.Definition
		if d.name != v.name || seen[d.version] {
			faults = append(faults, fmt.Errorf("projector.VersionsConfig: %s stands beside %s; give each version of one name once", d, c.Editions[0].Definition))
		}
		seen[d.version] = true
		_, err := v.open(e, 0, nil, nil, c.Runner.Journal, nil)
		if c.Journal == nil || d.Validate(c.Runner.Prefix) != nil {
			faults = append(faults, err)
		}
	}
	return v, errors.Join(faults...)
}

// open makes a runner.
func (v *Versions) open(e Edition, generation int, mark map[Source]int64, membership Membership, journal, copies Journal) (*Runner, error) {
	c := v.config.Runner
	c.Definition, c.Target, c.Generation, c.Mark, c.Membership, c.StandbyJournal = e.Definition, e.Target, generation, mark, membership, copies
	at := edition{e.Definition.version, generation}
	if journal != nil {
		c.Journal = throttle(journal, e.Definition.buildRate, func() bool {
			version, generation := v.Serving()
			return at != edition{version, generation}
		})
	}
	return Open(c)
}

// Name gives the projection's name.
func (v *Versions) Name() string { return v.name }

// Serving gives the version and generation that answer; version 0 as long as that is not known.
func (v *Versions) Serving() (version, generation int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.serving.version, v.serving.generation
}

// planEvery is how often time alone may change the plan.
const planEvery = time.Second

// Run runs the versions until ctx ends, or one of them cannot go on, which is the error.
func (v *Versions) Run(ctx context.Context) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	life, end := context.WithCancel(context.WithoutCancel(ctx)) // memberships end behind the runners
	var members sync.WaitGroup
	for _, e := range v.config.Editions {
		if e.Membership == nil {
			continue
		}
		f := newFan(e.Membership)
		v.mu.Lock()
		v.fans[e.Definition.version] = f
		v.mu.Unlock()
		members.Go(func() {
			if err := f.run(life); err != nil && life.Err() == nil {
				fail(err)
			}
		})
	}
	control := v.config.Runner.Control
	for try := 1; control.Sync(ctx) != nil && ctx.Err() == nil; try++ { // not before it is known what serves
		sleep(ctx, nil, backoff(200*time.Millisecond, 10*time.Second, try))
	}
	tick := time.NewTicker(planEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		entries, changed := control.Entries()
		v.follow(ctx, entries, fail)
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	v.stopAll(func(edition) bool { return true })
	end()
	members.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return nil
}

// follow does what the table wants.
func (v *Versions) follow(ctx context.Context, entries map[string]Entry, fail context.CancelCauseFunc) {
	p := planOf(entries, v.name, v.config.Editions, v.known(), v.config.Runner.Now().UTC())
	v.serve(ctx, p.serve)
	v.stopAll(func(e edition) bool { return !slices.Contains(p.run, e) })
	for _, e := range p.run {
		if err := v.start(ctx, e, entries, fail); err != nil {
			fail(err)
			return
		}
	}
	for _, e := range p.drop {
		v.drop(ctx, e)
	}
	v.expire(ctx, v.config.Runner.Now())
	switch {
	case p.put == nil:
		v.proof = nil
	case !p.takes || v.proven(ctx, entries, edition{p.put.Version, p.put.Generation}):
		v.put(ctx, p.put)
	}
}

// serve makes an edition answer here.
func (v *Versions) serve(ctx context.Context, e edition) {
	v.mu.Lock()
	before := v.serving
	v.mu.Unlock()
	if before == e {
		return
	}
	v.level(ctx, before, e)
	v.mu.Lock()
	v.serving = e
	v.mu.Unlock()
	if before.version != 0 {
		v.log.InfoContext(ctx, "another version of a projection serves now", "projection", v.name, "version", e.version, "generation", e.generation,
			"version_before", before.version, "generation_before", before.generation)
	}
	if v.config.Serve != nil {
		v.config.Serve(v.name, e.version, e.generation)
	}
}

func (v *Versions) start(ctx context.Context, e edition, entries map[string]Entry, fail context.CancelCauseFunc) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.runs[e] != nil {
		return nil
	}
	for _, one := range v.config.Editions {
		if one.Definition.version != e.version {
			continue
		}
		var membership Membership
		if f := v.fans[e.version]; f != nil {
			membership = f
		}
		build := readBuild(entries, one.Definition.String())
		journal, closed := v.config.Runner.Journal, func() {}
		if v.config.Journal != nil {
			var err error
			if journal, closed, err = v.config.Journal(ctx, one.Definition); err != nil {
				return err
			}
		}
		copies, copiesClosed, err := v.copyJournal(ctx, one.Definition)
		if err != nil {
			closed()
			return err
		}
		runner, err := v.open(one, e.generation, build.marks(), membership, journal, copies)
		if err != nil {
			closed()
			copiesClosed()
			return err
		}
		running, stop := context.WithCancel(context.WithoutCancel(ctx))
		r := &run{runner: runner, edition: e, stop: stop, ended: make(chan struct{}), end: func() {
			closed()
			copiesClosed()
		}}
		v.runs[e] = r
		go func() { // joined by stopAll
			defer close(r.ended)
			if err := runner.Run(running); err != nil && running.Err() == nil {
				fail(err)
			}
		}()
	}
	return nil
}

// stopAll stops the runners that are meant, side by side, and waits for them.
func (v *Versions) stopAll(meant func(edition) bool) {
	var stopping []*run
	v.mu.Lock()
	for e, r := range v.runs {
		if meant(e) {
			stopping = append(stopping, r)
			r.stop()
		}
	}
	v.mu.Unlock()
	for _, r := range stopping {
		<-r.ended
		r.end()
		v.mu.Lock()
		delete(v.runs, r.edition)
		v.mu.Unlock()
	}
}

// drop removes what is stored here of an edition that is out of use.
func (v *Versions) drop(ctx context.Context, e edition) {
	target := v.config.Editions[0].Target
	for _, one := range v.config.Editions {
		if one.Definition.version == e.version {
			target = one.Target
		}
	}
	for _, s := range v.config.Kept(v.name) {
		if s.Version != e.version || s.Generation != e.generation {
			continue
		}
		if err := target.Drop(ctx, s); err != nil {
			v.log.WarnContext(ctx, "what is out of use could not be removed, trying again", "projection", s.Projection, "generation", s.Generation, "shard", s.Number, "error", err)
			return
		}
	}
	v.log.InfoContext(ctx, "what is out of use was removed", "projection", editionName(v.name, e.version), "generation", e.generation)
}

// put writes what serves; every instance that comes to the same conclusion writes the same.
func (v *Versions) put(ctx context.Context, record *servingRecord) {
	record.By = v.config.Runner.Instance
	value, err := json.Marshal(record)
	if err == nil {
		_, err = v.config.Runner.Control.Put(ctx, servingKeys+v.name, value)
	}
	if err != nil && ctx.Err() == nil {
		v.log.WarnContext(ctx, "it could not be written down which version serves, trying again", "projection", v.name, "error", err)
	}
}

// Runners gives what runs now: the runner of what serves first, where it runs here.
func (v *Versions) Runners() []*Runner {
	v.mu.Lock()
	defer v.mu.Unlock()
	var all []*Runner
	for e, r := range v.runs {
		if e == v.serving {
			all = append([]*Runner{r.runner}, all...)
		} else {
			all = append(all, r.runner)
		}
	}
	return all
}

// Runner gives the runner of a version, the one of the generation that serves or is the oldest; version 0 is what serves. Nil: it does not run here.
func (v *Versions) Runner(version int) *Runner {
	v.mu.Lock()
	defer v.mu.Unlock()
	if version == 0 {
		version = v.serving.version
	}
	var found *run
	for e, r := range v.runs {
		if e.version == version && (found == nil || e == v.serving || found.edition != v.serving && e.generation < found.edition.generation) {
			found = r
		}
	}
	if found == nil {
		return nil
	}
	return found.runner
}

// Status says what the shards held here are doing, of everything that runs.
func (v *Versions) Status() []Status {
	var all []Status
	for _, r := range v.Runners() {
		all = append(all, r.Status()...)
	}
	return all
}

// Ready tells why the projection cannot be used here yet. Where instances of another build serve it, it is nil.
func (v *Versions) Ready() error {
	version, _ := v.Serving()
	if version == 0 {
		return muster.Errorf(muster.Unavailable, "projection %s: it is not known yet which version serves", v.name)
	}
	r := v.Runner(0)
	if r != nil {
		return r.Ready()
	}
	for _, e := range v.config.Editions {
		if e.Definition.version == version {
			return muster.Errorf(muster.Unavailable, "projection %s: it has not begun to run", e.Definition)
		}
	}
	return nil // instances of another build serve it
}

// Await waits for a version, 0 meaning the one that serves; see [Runner.Await].
func (v *Versions) Await(ctx context.Context, version int, pos muster.Position) error {
	r := v.Runner(version)
	if r == nil {
		return muster.Errorf(muster.Unavailable, "projection %s: version %d does not run on this instance; ask another one", v.name, version)
	}
	return r.Await(ctx, pos)
}

func editionName(name string, version int) string { return name + "@" + strconv.Itoa(version) }
