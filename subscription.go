package muster

import (
	"context"
	"errors"
	"fmt"
)

// Subscription reads the events of a group and hands them to functions, in log order per partition and so per aggregate. A service runs it:
// give it to service.Open as a part, or to Service.Subscribe. It is made once and read-only afterwards.
type Subscription struct {
	name     string
	durable  bool
	reading  Reading
	handlers map[string]func(context.Context, Codec, *Event) error // by event type
	others   func(context.Context, *Event) error                   // for types without a handler of their own; nil passes them over
	policies map[string]FaultPolicy                                // by reason
	faults   []error
}

// SubscriptionOption is a handler or a setting of [NewSubscription] and [NewBroadcast]. A [ReadOption] is one, too.
type SubscriptionOption interface{ subscribe(s *Subscription) }

type subscriptionOption func(*Subscription)

func (o subscriptionOption) subscribe(s *Subscription) { o(s) }

func (o ReadOption) subscribe(s *Subscription) { o(&s.reading) }

// NewSubscription declares a durable subscription. All instances of a service share it by its name: each partition is read by one of them,
// and what is handled is kept in Kafka, so that a restart goes on where it was. It starts from the beginning of the journal unless an option
// says otherwise; the start counts only where nothing has been handled yet. Events are handled at least once: after a crash, or when a
// partition moves to another instance, the last ones may come again.
//
// Kafka forgets the place of a subscription that no instance has run for offsets.retention.minutes, 7 days by default; it then starts anew.
func NewSubscription(g *Group, name string, opts ...SubscriptionOption) *Subscription {
	return newSubscription(g, name, true, StartEarliest, opts)
}

// NewBroadcast declares a subscription that each instance runs for itself: every one of them gets every event. Nothing is kept: it starts
// with what is committed from now on, unless an option says otherwise. To go on after a restart, keep [Meta.Position] of what was handled
// and give it to [After]. The name tells it apart in metrics and logs.
func NewBroadcast(g *Group, name string, opts ...SubscriptionOption) *Subscription {
	return newSubscription(g, name, false, StartLatest, opts)
}

func newSubscription(g *Group, name string, durable bool, start Start, opts []SubscriptionOption) *Subscription {
	s := &Subscription{
		name: name, durable: durable, reading: Reading{Group: g, Start: start},
		handlers: map[string]func(context.Context, Codec, *Event) error{},
		policies: map[string]FaultPolicy{
			ReasonHandler: FaultRetry, ReasonPanic: FaultRetry, ReasonUndecodable: FaultRetry, ReasonBadRecord: FaultRetry, ReasonUnknownType: FaultSkip,
		},
	}
	for _, opt := range opts {
		opt.subscribe(s)
	}
	return s
}

// On hands the events of one type to fn, decoded. fn returns nil when the event is handled; what an error or a panic means is set by
// [HandlerFaults]. Its context carries the event's meta, so that a command sent with it belongs to the same conversation; give such a
// command an id derived from m.ID, because the event may come again. The context ends when the partition has gone to another instance, or
// the time to drain is over; fn must heed it.
func On[E any](t *EventType[E], fn func(ctx context.Context, e E, m Meta) error) SubscriptionOption {
	return subscriptionOption(func(s *Subscription) {
		_, twice := s.handlers[t.name]
		switch {
		case fn == nil:
			s.faultf("event %q has a nil function; give it one", t.name)
		case t.group != s.reading.Group:
			s.faultf("event %q belongs to group %q", t.name, t.group.name)
		case twice:
			s.faultf("event %q has two functions; remove one", t.name)
		default:
			s.handlers[t.name] = func(ctx context.Context, codec Codec, ev *Event) error {
				e, withheld, err := t.Reveal(codec, ev)
				if err != nil {
					return undecodable{err}
				}
				m := ev.Meta
				m.Redaction = withheld
				return fn(ctx, e, m)
			}
		}
	})
}

// OnOthers hands every event without a function of its own to fn, as it lies in the journal, of whatever type. Without it such events are
// passed over.
func OnOthers(fn func(ctx context.Context, ev *Event) error) SubscriptionOption {
	return subscriptionOption(func(s *Subscription) {
		switch {
		case fn == nil:
			s.faultf("OnOthers has a nil function; give it one")
		case s.others != nil:
			s.faultf("OnOthers stands there twice; remove one")
		default:
			s.others = fn
		}
	})
}

func (s *Subscription) faultf(format string, args ...any) {
	s.faults = append(s.faults, fmt.Errorf("subscription %q: "+format, append([]any{s.name}, args...)...))
}

// Name gives the subscription's name.
func (s *Subscription) Name() string { return s.name }

// Group gives the group whose events are read.
func (s *Subscription) Group() *Group { return s.reading.Group }

// Durable tells whether instances share it and its place is kept.
func (s *Subscription) Durable() bool { return s.durable }

// Reading says what is read, and from where.
func (s *Subscription) Reading() Reading { return s.reading }

// Validate reports everything wrong with the definition and its group, joined; prefix is that of the topics.
func (s *Subscription) Validate(prefix string) error {
	faults := append([]error{s.reading.Validate(prefix)}, s.faults...)
	add := func(wrong bool, text string) {
		if wrong {
			faults = append(faults, fmt.Errorf("subscription %q: %s", s.name, text))
		}
	}
	add(!groupName.MatchString(s.name), "a name has 1 to 150 letters, digits, dots, dashes or underscores and begins with a letter or digit")
	add(len(s.handlers) == 0 && s.others == nil, "it has no functions; add muster.On or muster.OnOthers")
	add(s.durable && s.reading.UntilEnd, "UntilEnd is for reading once; use NewBroadcast")
	return errors.Join(faults...)
}

// Handle gives an event to its function. It reports false when the event is passed over. A fault says what to do; a panic is one.
func (s *Subscription) Handle(ctx context.Context, codec Codec, ev *Event) (handled bool, fault *EventFault) {
	defer func() {
		if v := recover(); v != nil {
			handled, fault = false, s.Fault(ev.Position(), ReasonPanic, fmt.Errorf("function for %s panicked: %s", ev.Type, panicText(v)))
		}
	}()
	if !s.reading.Wants(ev) {
		return false, nil
	}
	run := s.handlers[ev.Type]
	if run == nil && s.others != nil {
		run = func(ctx context.Context, _ Codec, ev *Event) error { return s.others(ctx, ev) }
	}
	if run == nil {
		if s.reading.Group.kindOf(ev.Type) == "event" {
			return false, nil
		}
		return false, s.Fault(ev.Position(), ReasonUnknownType, fmt.Errorf("the contract of this build has no event %s", ev.Type))
	}
	err := run(withMeta(ctx, &ev.Meta), codec, ev)
	if err == nil {
		return true, nil
	}
	if bad, is := errors.AsType[undecodable](err); is {
		if fault := s.sealed(ev, err); fault != nil {
			return false, fault
		}
		return false, s.Fault(ev.Position(), ReasonUndecodable, bad.error)
	}
	fault = s.Fault(ev.Position(), ReasonHandler, fmt.Errorf("function for %s: %w", ev.Type, err))
	if PayloadFaultOf(err).Passing() { // of a command that the function would have sent, say
		fault.Policy = FaultRetry
	}
	return false, fault
}

// undecodable is what the toolkit's part of a handler gives, so that it is not taken for the function's error.
type undecodable struct{ error }

// Unwrap gives the cause.
func (u undecodable) Unwrap() error { return u.error }
