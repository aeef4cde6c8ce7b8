package projector

import (
	"context"
	"strings"

	"github.com/seed-3eec0498/muster"
)

// Effects is a projection whose functions act outside: they send mail, call a webhook. They run at least once for each event, one after another in the
// order of the log on each partition, so in order per aggregate; [Effect.Key] lets the other side tell a repeat. Where it is, and what it has put
// aside, lies in the checkpoints topic of the service and moves with the partitions from instance to instance.
//
// During a rebuild the functions are not run for what was there before it. A new version, though, begins where its start says: give it
// [FromLatest] or [After] unless everything is to be done again.
type Effects struct{ definition *Definition }

// NewEffects makes one; functions are added with [On] and [OnOthers]. The checkpoint is committed behind each command's events, so that a crash
// or a failure repeats little. On Apache Kafka that allows some forty commands a second on each partition; [BatchEvents] trades repeats for speed.
func NewEffects(name string, opts ...Option) *Effects {
	d := NewDefinition(name, append([]Option{WithEffects(), BatchEvents(1)}, opts...)...)
	d.once()
	return &Effects{definition: d}
}

// Definition implements [Into].
func (e *Effects) Definition() *Definition { return e.definition }

// AwaitIn implements [muster.Awaited].
func (e *Effects) AwaitIn(ctx context.Context, host muster.ViewHost, pos muster.Position) error {
	return e.definition.AwaitIn(ctx, host, pos)
}

// Hand implements [Into]. tx is an [*Outbox], or has one.
func (e *Effects) Hand(tx any) Effect {
	if r := outboxOf(tx).running; r != nil {
		return Effect{key: strings.Clone(r.ID), replayed: r.Replayed} // the function may keep it
	}
	return Effect{}
}

// Effect is one run of a function of [Effects].
type Effect struct {
	key      string
	replayed bool
}

// Key is an idempotency key: the same at every run for this event in this projection, also on another instance and after a rebuild, and another one
// for every other event. Pass it on, as in the header Idempotency-Key of an HTTP request, or note it down with what was done.
func (e Effect) Key() string { return e.key }

// Replayed tells that the event was there before the rebuild that handles it now began. A function sees it only where the projection was told to
// run during a rebuild, too.
func (e Effect) Replayed() bool { return e.replayed }
