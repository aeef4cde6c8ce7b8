package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/projector"
)

// subscriber is one subscription on its way through this service.
type subscriber struct {
	sub     *muster.Subscription
	service *Service
	log     *slog.Logger
	reader  *consumer.Subscriber
	labels  []string // group and name
}

// sort tells the parts that own from those that read, and says what is wrong with the latter.
func (c Config) sort(parts []Part) (owners []owning, subscriptions []*muster.Subscription, projections []projector.Part, err error) {
	var faults []error
	names := map[string]bool{}
	for _, part := range parts {
		switch part := part.(type) {
		case owning:
			owners = append(owners, part)
		case *muster.Subscription:
			faults = append(faults, part.Validate(c.Prefix))
			if names[part.Name()] {
				faults = append(faults, fmt.Errorf("service %s: two subscriptions are named %q; their places would be mixed up, rename one", c.Name, part.Name()))
			}
			names[part.Name()] = true
			subscriptions = append(subscriptions, part)
		case projector.Part:
			projections = append(projections, part)
		default:
			faults = append(faults, fmt.Errorf("service %s: %T is no part of a service; give an aggregate, a handler, a subscription or a projection", c.Name, part))
		}
	}
	return owners, subscriptions, projections, errors.Join(append(faults, c.checkProjections(projections))...)
}

// Subscribe reads a group's events and hands them to the functions of the subscription until ctx ends, which gives nil, or everything has been
// read where [muster.UntilEnd] asks for that. An event in hand when ctx ends is finished within DrainTimeout. The error is a
// [muster.EventFault] where the subscription's policy is to stop, [consumer.ErrDataLoss] where the journal lacks the next event, or
// [ErrClosed] when the service ended. A service needs no part in the group, and Run need not have begun, except for functions that Call.
//
// For a subscription that lives as long as the service give it to [Open] instead.
func (s *Service) Subscribe(ctx context.Context, sub *muster.Subscription) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watching := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(watching)
		select {
		case <-s.closed:
			cancel(ErrClosed)
		case <-done:
		}
	}()
	err := s.subscribe(ctx, sub)
	close(done)
	<-watching
	if errors.Is(context.Cause(ctx), ErrClosed) {
		return ErrClosed
	}
	return err
}

func (s *Service) subscribe(ctx context.Context, sub *muster.Subscription) error {
	if err := sub.Validate(s.cfg.Prefix); err != nil {
		return err
	}
	one, err := s.openSubscription(ctx, sub)
	if err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end of ctx is the way it is meant to end
		}
		return err
	}
	return one.run(ctx)
}

// openSubscription fixes where a subscription starts.
func (s *Service) openSubscription(ctx context.Context, sub *muster.Subscription) (*subscriber, error) {
	one := &subscriber{
		sub: sub, service: s, labels: []string{sub.Group().Name(), sub.Name()},
		log: s.log.With("subscription", sub.Name()),
	}
	cfg := consumer.SubscriberConfig{
		Kafka: s.cfg.connection(), Reading: sub.Reading(), Deliver: one.deliver, Foreign: one.foreign, Lag: one.lag, Logger: one.log,
		SessionTimeout: s.cfg.SessionTimeout, DrainTimeout: s.cfg.drainTimeout(),
	}
	if sub.Durable() {
		cfg.ConsumerGroup = s.consumerGroup(sub.Name())
	}
	var err error
	if one.reader, err = consumer.OpenSubscriber(ctx, cfg); err != nil {
		return nil, fmt.Errorf("subscription %s: %w", sub.Name(), err)
	}
	return one, nil
}

// consumerGroup names the Kafka consumer group of a durable subscription. No group's owner can have the same, because of the slash.
func (s *Service) consumerGroup(subscription string) string {
	return s.cfg.Prefix + s.cfg.Name + "/" + subscription
}

func (s *subscriber) run(ctx context.Context) error {
	err := s.reader.Run(ctx)
	if err == nil || errors.As(err, new(*muster.EventFault)) {
		return err
	}
	return fmt.Errorf("subscription %s: %w", s.sub.Name(), err)
}

// deliver gives one event to its function and does what the policy says about its fault.
func (s *subscriber) deliver(ctx context.Context, e *muster.Event, bad error) (again bool, err error) {
	var fault *muster.EventFault
	handled := false
	if bad != nil {
		fault = s.sub.Fault(e.Position(), muster.ReasonBadRecord, bad)
	} else {
		handled, fault = s.sub.Handle(ctx, s.service.cfg.codec(), e)
	}
	m := s.service.metrics.subscriptions
	if handled {
		m.events.WithLabelValues(s.labels...).Inc()
	}
	if fault == nil {
		return false, nil
	}
	if ctx.Err() == nil { // else the fault is the end itself
		m.faults.WithLabelValues(append(s.labels[:2:2], fault.Reason)...).Inc()
		s.tell(ctx, e, fault)
	}
	switch fault.Policy {
	case muster.FaultSkip:
		return false, ctx.Err() // a function that was cut short did not fail
	case muster.FaultStop:
		return false, fault
	default:
		return true, fault
	}
}

// tell logs where the fault is and what becomes of it. The function's own error text stays out: it may hold payload.
func (s *subscriber) tell(ctx context.Context, e *muster.Event, fault *muster.EventFault) {
	next := map[muster.FaultPolicy]string{
		muster.FaultRetry: "trying again", muster.FaultStop: "subscription ends", muster.FaultSkip: "passed over",
	}[fault.Policy]
	args := []any{"group", s.labels[0], "position", e.Position().String(), "type", e.Type, "reason", fault.Reason, "attempt", e.Attempt, "next", next}
	if fault.Reason != muster.ReasonHandler {
		args = append(args, "error", fault.Cause)
	}
	s.log.ErrorContext(ctx, "an event could not be handled", args...)
}

func (s *subscriber) foreign(muster.Position) {
	s.service.metrics.foreign.WithLabelValues(s.labels[0]).Inc()
}

func (s *subscriber) lag(n int64) {
	s.service.metrics.subscriptions.lag.WithLabelValues(s.labels...).Set(float64(n))
}

// JournalEnd gives, per partition, the position of the last event of the group that can be read now. Given to [muster.After], reading
// begins with what is committed after this call.
func (s *Service) JournalEnd(ctx context.Context, g *muster.Group) ([]muster.Position, error) {
	return consumer.JournalEnd(ctx, consumer.JournalConfig{Kafka: s.cfg.connection(), Group: g})
}

// errFound ends the reading of an Await.
var errFound = errors.New("found")

// wants asks the filters, of which one is the user's and may panic.
func wants(r *muster.Reading, e *muster.Event) (wanted bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = muster.Errorf(muster.Internal, "the predicate panicked at %v: %T", e.Position(), v)
		}
	}()
	return r.Wants(e), nil
}

// AwaitEvent implements [muster.EventReader]; [muster.Await] calls it.
func (s *Service) AwaitEvent(ctx context.Context, r muster.Reading) (muster.Event, error) {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	found := make(chan muster.Event, 1)
	reader, err := consumer.OpenSubscriber(reading, consumer.SubscriberConfig{
		Kafka: s.cfg.connection(), Reading: r, Logger: s.log, DrainTimeout: lastGrace,
		Deliver: func(_ context.Context, e *muster.Event, bad error) (bool, error) {
			if bad != nil {
				return false, nil // a malformed record is not what is waited for
			}
			if wanted, err := wants(&r, e); err != nil || !wanted {
				return false, err
			}
			select {
			case found <- *e:
			default: // another partition had one first
			}
			return false, errFound
		},
	})
	if err == nil {
		err = reader.Run(reading)
	}
	select {
	case e := <-found:
		return e, nil
	default:
	}
	switch {
	case ctx.Err() != nil:
		e := muster.Errorf(muster.CodeOf(ctx.Err()), "no such event of group %s came in time", r.Group.Name())
		return muster.Event{}, errors.Join(e, ctx.Err())
	case err == nil:
		return muster.Event{}, muster.Errorf(muster.NotFound, "group %s has no such event", r.Group.Name())
	}
	return muster.Event{}, err
}
