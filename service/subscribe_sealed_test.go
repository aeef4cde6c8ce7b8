package service_test

import (
	"context"
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/examples/privacy/peoplepb"
	"github.com/seed-3eec0498/muster/service"
)

// heard is what a function of a subscription was told: the name in an event, and what was withheld.
type heard struct {
	name, city string
	told       muster.Access
}

// listens subscribes to who signs up, by a service of its own. Whatever cannot be decoded is to be skipped: the policy that could lose an event.
func (h *erasureHouse) listens(s *running) (events chan heard, ended chan error) {
	h.t.Helper()
	events, ended = make(chan heard, 10), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(h.t.Context()))
	h.t.Cleanup(cancel)
	sub := muster.NewBroadcast(h.group, "letters", muster.FromEarliest(), muster.UndecodableEvents(muster.FaultSkip), muster.HandlerFaults(muster.FaultSkip),
		muster.On(h.signed, func(_ context.Context, e *peoplepb.SignedUp, m muster.Meta) error {
			events <- heard{e.Name, e.City, m.Redaction.Access}
			return nil
		}))
	go func() { ended <- s.Subscribe(ctx, sub) }()
	return events, ended
}

// next gives what was heard next. It may take as long as the pause between two tries.
func (h *erasureHouse) next(events chan heard, ended chan error) heard {
	h.t.Helper()
	select {
	case one := <-events:
		return one
	case err := <-ended:
		h.t.Fatalf("the subscription ended with %v", err)
	case <-bounded(h.t).Done():
		h.t.Fatal("nothing was heard")
	}
	return heard{}
}

// endsWith checks that a subscription ends at an offset, and which events it had handed out before.
func (h *erasureHouse) endsWith(events chan heard, ended chan error, offset int64, reason string, want ...heard) {
	h.t.Helper()
	select {
	case err := <-ended:
		fault, is := errors.AsType[*muster.EventFault](err)
		if !is || fault.Reason != reason || fault.Position.Offset != offset {
			h.t.Errorf("it ended with %v; want %s at offset %d", err, reason, offset)
		}
	case <-bounded(h.t).Done():
		h.t.Fatal("it did not end")
	}
	close(events)
	for one := range events {
		if len(want) == 0 || one != want[0] {
			h.t.Errorf("heard %+v, want %+v", one, want)
			return
		}
		want = want[1:]
	}
	if len(want) > 0 {
		h.t.Errorf("not heard: %+v", want)
	}
}

// A subscription of a service that seals meets events it cannot open. A key that is away is waited for, an erased person's event comes without what was
// theirs, and one whose key is missing, or that was changed, ends it at that event, although its policy is to skip.
func TestSubscriptionMeetsWhatItCannotOpen(t *testing.T) {
	h := newErasureHouse(t, oneErasurePartition)
	owner := h.start(t.TempDir(), nil, h.owner())
	h.signsUp(owner, "anna", "Anna")
	h.signsUp(owner, "bert", "Bert")
	anna, bert := heard{"Anna", "Bern", muster.AccessOpen}, heard{"Bert", "Bern", muster.AccessOpen}

	t.Run("key unavailable", func(t *testing.T) {
		h := h.in(t)
		v, metrics := newVault(h.keys, h.kms), prometheus.NewRegistry()
		h.alter = func(c *service.Config) {
			v.through(h)(c)
			c.Metrics = metrics
		}
		s := h.start("", nil)
		v.set(true) // before it has any key at hand
		events, ended := h.listens(s)
		eventually(t, "it has tried", func() bool {
			return counted(t, metrics, "muster_subscription_faults_total", muster.ReasonKeyUnavailable) > 1
		})
		if len(events)+len(ended) > 0 {
			t.Fatalf("without keys %d events were heard, and it ended %d times", len(events), len(ended))
		}
		v.set(false)
		if one, two := h.next(events, ended), h.next(events, ended); one != anna || two != bert {
			t.Errorf("heard %+v and %+v", one, two)
		}
	})
	t.Run("key missing", func(t *testing.T) {
		h := h.in(t)
		h.alter = func(c *service.Config) {
			c.Codec, c.Erasure = nil, nil
			c.Privacy = &crypto.Config{Keys: crypto.NewMemoryKeys(), KMS: h.kms, SubjectKey: h.secret} // of another house
		}
		events, ended := h.listens(h.start("", nil))
		h.endsWith(events, ended, 0, muster.ReasonKeyMissing)
	})
	t.Run("shredded", func(t *testing.T) {
		h := h.in(t)
		h.erases(owner, "anna")
		events, ended := h.listens(h.start("", nil))
		if one, two := h.next(events, ended), h.next(events, ended); one != (heard{"", "Bern", muster.AccessShredded}) || two != bert {
			t.Errorf("heard %+v and %+v", one, two)
		}
	})
	owner.end()
	t.Run("tampered", func(t *testing.T) {
		h := h.in(t)
		forged := h.forged("bert")
		events, ended := h.listens(h.start("", nil))
		h.endsWith(events, ended, forged, muster.ReasonTampered, heard{"", "Bern", muster.AccessShredded}, bert)
	})
}

// in gives the same house for a test inside.
func (h *erasureHouse) in(t *testing.T) *erasureHouse {
	inner := *h
	inner.t, inner.alter = t, nil
	return &inner
}

// forged writes an event of an aggregate to the journal again, with one bit of what is sealed in it changed, and gives its offset.
func (h *erasureHouse) forged(id string) int64 {
	h.t.Helper()
	var found *kgo.Record
	for _, r := range committedRecords(h.t, h.brokers, h.group.JournalTopic("")) {
		for _, header := range r.Headers {
			if header.Key == "ce_subject" && string(header.Value) == id {
				found = r
			}
		}
	}
	if found == nil {
		h.t.Fatalf("no event of %s is in the journal", id)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(h.brokers...))
	if err != nil {
		h.t.Fatal(err)
	}
	defer client.Close()
	value := append([]byte(nil), found.Value...)
	value[len(value)-1] ^= 1
	done, err := client.ProduceSync(bounded(h.t), &kgo.Record{Topic: found.Topic, Key: found.Key, Value: value, Headers: found.Headers}).First()
	if err != nil {
		h.t.Fatal(err)
	}
	return done.Offset
}
