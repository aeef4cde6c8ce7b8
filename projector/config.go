package projector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/seed-3eec0498/muster"
)

// Config is what a [Runner] needs. Definition, Target and Journal must be set; the zero value of all else is usable.
type Config struct {
	Definition *Definition
	Target     Target
	Journal    Journal
	// Membership shares the shards with other instances. Nil: this instance holds all of them, as with [Replicated].
	Membership Membership
	// StandbyJournal is what copies are read from, see [Standbys]: apart from what is served, they hold nothing of it up. Nil means Journal.
	StandbyJournal Journal
	// Control carries what operators want. Nil: nobody wants anything.
	Control Control
	// Codec decodes events. Nil means muster.PlainCodec.
	Codec muster.Codec
	// Prefix is that of the topics.
	Prefix string
	// Instance names this process among those that run the projection. Empty means "local".
	Instance string

	// Generation says how often the projection was rebuilt. Each generation has rows and checkpoints of its own.
	Generation int
	// Mark says where the journals ended when the rebuild began: events below are [Running.Replayed]. Nil: nothing is replayed.
	Mark map[Source]int64
	// OnUnfit is asked when what is stored cannot be gone on with, by its reason: [ReasonAhead], [ReasonRecreated] or [ReasonStore]. True drops
	// all that is stored of the shard and builds it anew from the projection's start; false stops the shard. Nil means what the definition says, see
	// the option of the same name.
	OnUnfit func(ctx context.Context, shard Shard, reason string) bool

	// Heard returns when the keys of an erased person cannot be had any more by Codec, also where what it asks lags behind; an error has the erasure wait,
	// and is tried again. It is asked before a shard carries an erasure out, or begins behind it. Nil: that is so by itself.
	Heard func(ctx context.Context, e SubjectErased) error

	// MaxLetters bounds what lies aside in one shard: when there are as many letters, waiting ones included, the shard stops instead of putting
	// more aside. Zero means 100,000.
	MaxLetters int

	// DrainTimeout is how long the batch in hand may take when a shard goes elsewhere or Run ends. Then its context ends. Zero means 5 s.
	DrainTimeout time.Duration
	// Grace is how long after the end of its context a function may go on. Then it is abandoned: it can commit nothing any more, and its shard
	// stops or goes elsewhere without it. Zero means 5 s.
	Grace time.Duration
	// RetryFirst and RetryTop bound the pause after a fault of the target or the brokers; it doubles each time and has jitter. Zero means 200 ms
	// and 10 s.
	RetryFirst, RetryTop time.Duration

	// Logger gets what an operator should know; never keys, payloads, or the text of a function's error. Nil means silence.
	Logger *slog.Logger
	// Observe hears what the runner does.
	Observe Observe
	// Now is the clock of what is shown: lag, rate, letters. Nil means time.Now.
	Now func() time.Time
}

// Validate reports everything wrong, joined; nil when all is well.
func (c Config) Validate() error {
	var faults []error
	add := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf("projector.Config: "+format, args...))
		}
	}
	add(c.Definition == nil, "Definition is missing; give the one to run")
	add(c.Target == nil, "Target is missing; give the place where results go")
	add(c.Journal == nil, "Journal is missing; give what reads the journals")
	add(c.MaxLetters < 0, "MaxLetters is %d; choose 1 or more, or 0 for 100,000", c.MaxLetters)
	add(c.Generation < 0, "Generation is %d; count from 0", c.Generation)
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"DrainTimeout", c.DrainTimeout}, {"Grace", c.Grace}, {"RetryFirst", c.RetryFirst}, {"RetryTop", c.RetryTop}} {
		add(d.value < 0, "%s is %v; choose more than 0, or 0 for the default", d.name, d.value)
	}
	if c.Definition != nil {
		faults = append(faults, c.Definition.Validate(c.Prefix))
	}
	return errors.Join(faults...)
}

// filled gives the configuration with its defaults.
func (c Config) filled() Config {
	span := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	span(&c.DrainTimeout, 5*time.Second)
	span(&c.Grace, 5*time.Second)
	span(&c.RetryFirst, 200*time.Millisecond)
	span(&c.RetryTop, max(c.RetryFirst, 10*time.Second))
	if c.MaxLetters == 0 {
		c.MaxLetters = 100_000
	}
	if c.Control == nil {
		c.Control = NewMemoryControl()
	}
	if c.Codec == nil {
		c.Codec = muster.PlainCodec{}
	}
	if c.Instance == "" {
		c.Instance = "local"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}
