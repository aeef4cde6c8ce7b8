package projector

import (
	"context"
	"fmt"
	"slices"

	"github.com/seed-3eec0498/muster"
)

// Publisher is a projection that writes events into other Kafka topics: public events with a contract of their own made from the private ones of
// a journal, or the same events under another key. Exactly once: what the functions publish, the checkpoint and whatever was put aside are one
// Kafka transaction. A reader that reads committed records sees for each event of the journal what its function published, once, in the order of
// the log per key.
//
// A rebuild publishes everything again, with the same ids; with [WithEffects] it publishes nothing that was there before.
type Publisher struct{ definition *Definition }

// NewPublisher makes one; functions are added with [On] and [OnOthers]. At least one topic is declared with [To].
func NewPublisher(name string, opts ...Option) *Publisher {
	d := NewDefinition(name, opts...)
	if len(d.targets) == 0 {
		d.faultf("it publishes to no topic; declare one with projector.To")
	}
	d.once()
	return &Publisher{definition: d}
}

// once refuses a placement that has every instance do everything.
func (d *Definition) once() {
	if d.placement == Replicated {
		d.faultf("what it does outside is to be done by one instance; leave out Place(Replicated), and give groups with other partition counts projections of their own")
	}
}

// Definition implements [Into].
func (p *Publisher) Definition() *Definition { return p.definition }

// AwaitIn implements [muster.Awaited].
func (p *Publisher) AwaitIn(ctx context.Context, host muster.ViewHost, pos muster.Position) error {
	return p.definition.AwaitIn(ctx, host, pos)
}

// Hand implements [Into]. tx is an [*Outbox], or has one.
func (p *Publisher) Hand(tx any) *Outbox { return outboxOf(tx) }

// TargetTopic is a topic that a projection writes to, without the prefix.
type TargetTopic struct {
	Name       string
	Partitions int32 // of a topic that is made; 0: it must exist. An existing one may have any number
}

// To declares a topic that the functions publish to. It is made with so many partitions where it is missing; 0 says that it must exist.
func To(topic string, partitions int32) Option {
	return func(d *Definition) {
		switch {
		case topic == "" || partitions < 0:
			d.faultf("To(%q, %d): give a topic and its partition count, or 0 where it must exist", topic, partitions)
		case slices.ContainsFunc(d.targets, func(t TargetTopic) bool { return t.Name == topic }):
			d.faultf("topic %q is declared twice; remove one", topic)
		default:
			d.targets = append(d.targets, TargetTopic{Name: topic, Partitions: partitions})
		}
	}
}

// Disclose lets data of types with personal fields leave in clear: whoever reads the topics can read it, and no erasure reaches it there. Without it such
// data is refused where payloads are sealed.
func Disclose() Option { return func(d *Definition) { d.discloses = true } }

// Targets gives the topics that were declared with [To].
func (d *Definition) Targets() []TargetTopic { return slices.Clone(d.targets) }

// targetFaults refuses topics of the groups that are read: only their owner writes these.
func (d *Definition) targetFaults() (faults []error) {
	for _, t := range d.targets {
		for _, g := range d.groups {
			if slices.Contains([]string{g.CommandTopic(""), g.JournalTopic(""), g.SnapshotTopic(""), g.DeadLetterTopic("")}, t.Name) {
				faults = append(faults, fmt.Errorf("projection %s: topic %s belongs to group %q: its owner alone writes it; publish to another one, or send a command", d, t.Name, g.Name()))
			}
		}
	}
	return faults
}
