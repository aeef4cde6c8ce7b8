package projector

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/seed-3eec0498/muster"
)

// Definition says what a projection is: its name and version, the groups it reads, the functions for their events, where it starts and what
// a failure means. A [View] holds one, and so do the projections of other targets. It is made once at start and read-only afterwards.
type Definition struct {
	name       string
	title      string // name@version
	version    int
	placement  Placement
	groups     []*muster.Group // in the order of their first function
	handlers   map[string]map[string]handler
	others     map[string]handler              // by group: for types without a function of their own
	disclosers map[string]map[string]discloser // by group and type, where handlers has a function
	where      func(*muster.Event) bool
	start      muster.Reading // Start, Time and After count
	keyOf      func(*muster.Event) string
	routeBy    func(key string) string
	failures   map[string]Policy // by reason
	deadline   time.Duration
	batch      int
	effects    bool // what it does outside cannot be taken back: muted during a rebuild
	switching  Switching
	keepOld    time.Duration
	buildRate  int
	targets    []TargetTopic // topics outside that it writes to
	discloses  bool          // personal data may leave in clear
	erased     func(ctx context.Context, tx any, e SubjectErased) error
	erasedRows ErasedRow
	folds      bool     // its rows are a fold of the journals and nothing else: it is a view
	unfit      *Outcome // see OnUnfit; nil: by folds
	standbys   int      // see Standbys
	trimmed    *Outcome // see OnTrimmed; nil: Stop
	faults     []error
}

// handler runs the user's function for one event on what the target's batch gives.
type handler func(ctx context.Context, tx any, codec muster.Codec, ev *muster.Event) error

// Option is a setting of a projection.
type Option func(*Definition)

// Placement says which instance holds what of a view.
type Placement uint8

const (
	// Sharded gives each instance its share of the partitions: shard p holds the rows made from partition p of every group the projection
	// reads, so all these groups need the same partition count. The default, and the only one for targets outside the process.
	Sharded Placement = iota
	// Replicated gives each instance everything: one shard made from all partitions. A row may be made from events of any of them.
	Replicated
)

// Version sets the version, 1 or more; the default is 1. A projection with a new version is built beside the old one, from its start.
func Version(n int) Option { return func(d *Definition) { d.version = n } }

// Place sets the placement.
func Place(p Placement) Option { return func(d *Definition) { d.placement = p } }

// FromEarliest starts with the first event of each journal. The default. A start counts only for a partition without a checkpoint.
func FromEarliest() Option { return func(d *Definition) { d.start.Start = muster.StartEarliest } }

// FromLatest starts with what is committed from now on.
func FromLatest() Option { return func(d *Definition) { d.start.Start = muster.StartLatest } }

// FromTime starts with the first event written at t or later, by the brokers' clocks.
func FromTime(t time.Time) Option {
	return func(d *Definition) { d.start.Start, d.start.Time = muster.StartTime, t }
}

// After starts behind each of the positions; partitions without one start as the other options say.
func After(positions ...muster.Position) Option {
	return func(d *Definition) { d.start.After = append(d.start.After, positions...) }
}

// Where passes over events for which fn is false. It must be fast and pure: it is asked again after a restart. The
// event is lent to it; what it keeps of the payload it copies.
func Where(fn func(*muster.Event) bool) Option { return func(d *Definition) { d.where = fn } }

// KeyBy sets the key that is parked when an event fails: later events with the same key wait behind it. The default is group and aggregate
// id. A projection whose rows are made from several aggregates may need a coarser key. fn must be pure.
func KeyBy(fn func(*muster.Event) string) Option { return func(d *Definition) { d.keyOf = fn } }

// HandlerDeadline bounds one run of a function; its context ends then. Zero means 30 s.
func HandlerDeadline(limit time.Duration) Option { return func(d *Definition) { d.deadline = limit } }

// BatchEvents sets how many events share one batch or SQL transaction at most. The events of one command are never torn, so a batch may be
// larger. Zero means 1,000.
func BatchEvents(n int) Option { return func(d *Definition) { d.batch = n } }

// WithEffects says that the functions act outside of the target, so that they are not run for events that were there before a rebuild began.
func WithEffects() Option { return func(d *Definition) { d.effects = true } }

// projectionName leaves room in topic, group and file names.
var projectionName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$`)

// NewDefinition begins one; packages that bring a target of their own call it.
func NewDefinition(name string, opts ...Option) *Definition {
	d := &Definition{
		name: name, version: 1, handlers: map[string]map[string]handler{}, others: map[string]handler{}, disclosers: map[string]map[string]discloser{},
		start: muster.Reading{Start: muster.StartEarliest}, failures: defaultPolicies(),
	}
	for _, opt := range opts {
		opt(d)
	}
	d.title = fmt.Sprintf("%s@%d", d.name, d.version)
	return d
}

// Definition gives itself, so that a definition alone is a part, too.
func (d *Definition) Definition() *Definition { return d }

// Name gives the name without the version.
func (d *Definition) Name() string { return d.name }

// Version gives the version.
func (d *Definition) Version() int { return d.version }

// String gives name@version, as logs, metrics and operators use it.
func (d *Definition) String() string { return d.title }

// Groups gives the groups whose journals are read, in the order of their first function.
func (d *Definition) Groups() []*muster.Group { return slices.Clone(d.groups) }

// Placement says which instance holds what.
func (d *Definition) Placement() Placement { return d.placement }

// AwaitIn implements [muster.Awaited]: a definition can be given to [muster.WaitFor].
func (d *Definition) AwaitIn(ctx context.Context, host muster.ViewHost, pos muster.Position) error {
	if host == nil {
		return muster.Errorf(muster.FailedPrecondition, "projection %s: this client belongs to no service that reads projections; use the Client of one", d)
	}
	return host.AwaitView(ctx, d.name, d.version, pos)
}

// Validate reports everything wrong with the definition, joined; prefix is that of the topics.
func (d *Definition) Validate(prefix string) error {
	faults := slices.Clone(d.faults)
	add := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf("projection "+d.String()+": "+format, args...))
		}
	}
	add(!projectionName.MatchString(d.name), "a name has 1 to 100 letters, digits, dots, dashes or underscores and begins with a letter or digit")
	add(d.version < 1, "version %d; choose 1 or more", d.version)
	add(d.placement > Replicated, "unknown placement %d; use Sharded or Replicated", d.placement)
	add(len(d.groups) == 0, "it has no functions; add projector.On or projector.OnOthers")
	add(d.deadline < 0, "HandlerDeadline is %v; choose more than 0, or 0 for %v", d.deadline, defaultDeadline)
	add(d.batch < 0, "BatchEvents is %d; choose 1 or more, or 0 for %d", d.batch, defaultBatch)
	add(d.switching > SwitchByHand, "unknown switching %d; use SwitchCaughtUp or SwitchByHand", d.switching)
	add(d.keepOld < 0 || d.buildRate < 0, "KeepOld %v and BuildRate %d are not negative; 0 means the default", d.keepOld, d.buildRate)
	for _, g := range d.groups {
		faults = append(faults, g.Validate())
		add(d.placement == Sharded && g.Partitions() != d.groups[0].Partitions(),
			"group %q has %d partitions and group %q has %d; a sharded projection needs equal counts, so use Place(Replicated) or one projection per group",
			d.groups[0].Name(), d.groups[0].Partitions(), g.Name(), g.Partitions())
		add(d.start.Start == muster.StartTime && d.start.Time.IsZero(), "FromTime with no time; use FromEarliest to read everything")
	}
	for _, p := range d.start.After {
		add(!slices.ContainsFunc(d.groups, func(g *muster.Group) bool {
			return g.JournalTopic(prefix) == p.Topic && p.Partition < g.Partitions() && p.Partition >= 0
		}),
			"After: position %v is in no journal it reads", p)
	}
	faults = slices.Concat(faults, d.policyFaults(), d.targetFaults(), d.unfitFaults(), d.standbyFaults(), d.trimmedFaults())
	return errors.Join(faults...)
}

func (d *Definition) faultf(format string, args ...any) {
	d.faults = append(d.faults, fmt.Errorf("projection "+d.String()+": "+format, args...))
}

const (
	defaultDeadline = 30 * time.Second
	defaultBatch    = 1000
)

// Key gives the key that is parked when the event fails.
func (d *Definition) Key(ev *muster.Event) string {
	if d.keyOf != nil {
		return d.keyOf(ev)
	}
	return ev.Group + "/" + ev.AggregateID
}
