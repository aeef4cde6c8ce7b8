package projector

import (
	"cmp"
	"context"
	"strconv"

	"github.com/seed-3eec0498/muster"
)

// Outbox takes what the functions of a [Publisher] publish, until the batch is committed. It is for use during a run of a function, by its
// goroutine.
type Outbox struct {
	check   func(*Publication) error
	running *Running // whose function is run
	index   int      // of what it has published
	out     []Publication
}

// Publication is one record for a topic outside.
type Publication struct {
	Topic  string // without the prefix
	Event  muster.CloudEvent
	Remove bool // remove the event's key from the topic
}

// NewOutbox makes an outbox for one batch of a target. check tells why a publication can never be written, nil for those that can; such
// an error is the function's.
func NewOutbox(check func(*Publication) error) *Outbox { return &Outbox{check: check} }

// outboxOf finds the outbox in what a target's batch gives.
func outboxOf(tx any) *Outbox {
	if carrier, is := tx.(interface{ Outbox() *Outbox }); is {
		return carrier.Outbox()
	}
	return tx.(*Outbox)
}

// Before says whose function is run next, see [Batch.Before].
func (o *Outbox) Before(e *Running) { o.running, o.index = e, 0 }

// Publications gives what was published, in order.
func (o *Outbox) Publications() []Publication { return o.out }

// Publish puts an event into a topic that was declared with [To], in the partition of its key, which is the one Kafka's default partitioner
// chooses. It is written when the batch is committed, or not at all.
//
// data is encoded as payloads are by default: protobuf messages as protobuf, [muster.Raw] as it is, all else as JSON; always in clear, whatever
// the codec of the service does. So where payloads are sealed, data of a type with personal fields is refused, unless the projection says
// [Disclose]. With nil the event's Payload stays: what was sealed stays sealed. What the event leaves open is taken from the private event whose meta
// ctx carries: source, subject, time, correlation, trace; its id becomes the causation id; key is the subject. The id is made from the
// private event's, so that it is the same at every run. Headers are not passed on.
//
// The error says what is wrong with the event, as one that is too large for its topic; return it, so that the policy decides.
func (o *Outbox) Publish(ctx context.Context, topic string, e muster.CloudEvent, data any) error {
	m, _ := muster.MetaFrom(ctx)
	if data != nil {
		if o.running != nil && o.running.Personal != nil && o.running.Personal(data) {
			return muster.Errorf(muster.FailedPrecondition, "%T holds personal data, and what is published leaves in clear; publish a type without it, or declare projector.Disclose", data)
		}
		place := muster.Place{Purpose: muster.PurposeEvent, Group: m.Group, Type: e.Type, AggregateID: e.Subject}
		payload, content, err := muster.PlainCodec{}.Encode(nil, place, data)
		if err != nil {
			return err
		}
		e.Payload = payload
		if e.ContentType == "" {
			e.ContentType = content
		}
	}
	if e.ID == "" && o.running != nil {
		e.ID = o.running.ID
		if o.index > 0 {
			e.ID += "/" + strconv.Itoa(o.index)
		}
	}
	e.Source, e.Subject = cmp.Or(e.Source, m.Group), cmp.Or(e.Subject, m.AggregateID)
	e.CorrelationID, e.CausationID = cmp.Or(e.CorrelationID, m.CorrelationID), cmp.Or(e.CausationID, m.ID)
	e.TraceParent, e.TraceState = cmp.Or(e.TraceParent, m.TraceParent), cmp.Or(e.TraceState, m.TraceState)
	e.Key = cmp.Or(e.Key, e.Subject)
	if e.Time.IsZero() {
		e.Time = m.Time
	}
	if err := e.Check(); err != nil {
		return err
	}
	return o.add(Publication{Topic: topic, Event: e})
}

// Remove removes a key from a compacted topic that was declared with [To], when the batch is committed.
func (o *Outbox) Remove(topic, key string) error {
	if key == "" || len(key) > muster.MaxRecordKey {
		return muster.Errorf(muster.InvalidArgument, "a key to remove has 1 to %d bytes, not %d", muster.MaxRecordKey, len(key))
	}
	return o.add(Publication{Topic: topic, Event: muster.CloudEvent{Key: key}, Remove: true})
}

func (o *Outbox) add(p Publication) error {
	if o.check != nil {
		if err := o.check(&p); err != nil {
			return err
		}
	}
	o.out = append(o.out, p)
	o.index++
	return nil
}
