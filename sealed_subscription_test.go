package muster_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/sealtest"
)

// sealedStrike gives an event of a bell whose name is sealed, and the codec.
func sealedStrike(t *testing.T) (*muster.Event, *sealtest.Codec) {
	t.Helper()
	codec := &sealtest.Codec{Unbound: true, Fields: map[string][]string{"muster_test.struck": {"Bell"}}}
	ev := strike("")
	var err error
	ev.Payload, ev.ContentType, err = codec.Encode(nil, muster.Place{AggregateID: ev.AggregateID}, struck{"Bell"})
	if err != nil {
		t.Fatal(err)
	}
	return ev, codec
}

// What a subscription does about a sealed event that it cannot open: it never skips one, whatever it says of events that cannot be decoded, waits for a key that is away, and
// gets what is withheld for good as an event without it.
func TestSubscriptionMeetsASealedFault(t *testing.T) {
	for fault, want := range map[muster.PayloadFault]map[muster.FaultPolicy]muster.FaultPolicy{ // by policy for undecodable events
		muster.FaultUnavailable: {muster.FaultRetry: muster.FaultRetry, muster.FaultStop: muster.FaultRetry, muster.FaultSkip: muster.FaultRetry},
		muster.FaultMissing:     {muster.FaultRetry: muster.FaultRetry, muster.FaultStop: muster.FaultStop, muster.FaultSkip: muster.FaultStop},
		muster.FaultTampered:    {muster.FaultRetry: muster.FaultRetry, muster.FaultStop: muster.FaultStop, muster.FaultSkip: muster.FaultStop},
		muster.FaultFormat:      {muster.FaultRetry: muster.FaultRetry, muster.FaultStop: muster.FaultStop, muster.FaultSkip: muster.FaultStop},
		muster.FaultErased:      nil,
		muster.FaultNoAccess:    nil,
	} {
		for _, policy := range []muster.FaultPolicy{muster.FaultRetry, muster.FaultStop, muster.FaultSkip} {
			g, struckType := bells()
			ran := 0
			var got struck
			var told muster.Redaction
			s := muster.NewSubscription(g, "s", muster.UndecodableEvents(policy), muster.HandlerFaults(muster.FaultSkip),
				muster.On(struckType, func(_ context.Context, e struck, m muster.Meta) error {
					ran, got, told = ran+1, e, m.Redaction
					return nil
				}))
			ev, codec := sealedStrike(t)
			codec.Fail(ev.AggregateID, fault)
			handled, bad := s.Handle(t.Context(), codec, ev)
			if want == nil {
				if !handled || bad != nil || ran != 1 || got.Bell != "" || told.Access == muster.AccessOpen {
					t.Errorf("%s: handled %v, %v; the function got %+v, told %+v", fault.Reason(), handled, bad, got, told)
				}
				continue
			}
			if handled || bad == nil || bad.Reason != fault.Reason() || bad.Policy != want[policy] || ran != 0 || muster.PayloadFaultOf(bad) != fault {
				t.Errorf("%s with policy %d: handled %v, %+v, the function ran %d times", fault.Reason(), policy, handled, bad, ran)
			}
			codec.Mend(ev.AggregateID)
			if handled, bad = s.Handle(t.Context(), codec, ev); !handled || bad != nil || got.Bell != "Bell" || told.Access != muster.AccessOpen {
				t.Errorf("%s, mended: handled %v, %v, got %+v", fault.Reason(), handled, bad, got)
			}
		}
	}
}

// An error of a function is the function's, also where a codec is behind it: its text stays out of the log by that, its policy holds, and only what
// passes is waited for.
func TestSubscriptionWhoseFunctionMeetsASealedFault(t *testing.T) {
	for fault, want := range map[muster.PayloadFault]muster.FaultPolicy{
		muster.FaultUnavailable: muster.FaultRetry, muster.FaultNoAccess: muster.FaultRetry, muster.FaultErased: muster.FaultSkip, muster.FaultMissing: muster.FaultSkip,
	} {
		g, struckType := bells()
		s := muster.NewSubscription(g, "s", muster.HandlerFaults(muster.FaultSkip), muster.UndecodableEvents(muster.FaultStop),
			muster.On(struckType, func(_ context.Context, e struck, _ muster.Meta) error {
				return fmt.Errorf("a letter to %s: %w", e.Bell, sealtest.Fault(fault))
			}))
		ev, codec := sealedStrike(t)
		handled, bad := s.Handle(t.Context(), codec, ev)
		if handled || bad == nil || bad.Reason != muster.ReasonHandler || bad.Policy != want || !errors.Is(bad, sealtest.Fault(fault)) {
			t.Errorf("%s: handled %v, %+v", fault.Reason(), handled, bad)
		}
	}
}
