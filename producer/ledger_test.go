package producer_test

import (
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/producer"
)

const public = "accounts.public"

var third = kafka.LedgerShard{Projection: "mail@1", Number: 3}

// ledger opens a ledger that is closed with the test, and makes its topics where they are missing.
func (b *bed) ledger(change ...func(*producer.LedgerConfig)) *producer.Ledger {
	b.t.Helper()
	if err := kafka.EnsureLedger(b.t.Context(), b.client, "", "bank", true); err != nil {
		b.t.Fatal(err)
	}
	if _, err := kafka.EnsureTarget(b.t.Context(), b.client, "", public, 4, true); err != nil {
		b.t.Fatal(err)
	}
	cfg := producer.LedgerConfig{Kafka: b.connection(), Service: "bank"}
	for _, c := range change {
		c(&cfg)
	}
	l, err := producer.OpenLedger(b.t.Context(), cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(l.Close)
	return l
}

func (b *bed) claim(l *producer.Ledger) *producer.Scribe {
	b.t.Helper()
	s, err := l.Claim(b.t.Context(), third, public)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func next(n int64) []kafka.LedgerRecord {
	return []kafka.LedgerRecord{{Checkpoint: &kafka.LedgerCheckpoint{Topic: "accounts.events", Partition: 3, Next: n, LastAt: n - 1}}}
}

func said(id string) []producer.Outgoing {
	return []producer.Outgoing{{Topic: public, Event: muster.CloudEvent{ID: id, Source: "accounts", Type: "credited.v1", Key: "acc-1", Payload: []byte("1")}}}
}

// seen gives what a committed reader sees: the ids published, and where the shard's source goes on.
func (b *bed) seen() (ids []string, at int64) {
	b.t.Helper()
	for _, r := range b.committed(public) {
		e, err := kafka.DecodeCloudEvent(r)
		if err != nil {
			b.t.Fatal(err)
		}
		ids = append(ids, e.ID)
	}
	for _, r := range b.committed(kafka.LedgerTopic("", "bank")) {
		e, err := kafka.DecodeLedger(r, third)
		if err != nil {
			b.t.Fatal(err)
		}
		at = e.Checkpoint.Next
	}
	return ids, at
}

func TestScribeWritesAllOrNothing(t *testing.T) {
	b := newBed(t, 3)
	s := b.claim(b.ledger())
	for i := range 5 {
		want(t, s.Write(t.Context(), next(int64(i+1)), said("e"+strconv.Itoa(i))), nil)
	}
	ids, at := b.seen()
	if !slices.Equal(ids, []string{"e0", "e1", "e2", "e3", "e4"}) || at != 5 {
		t.Errorf("published %v, checkpoint %d", ids, at)
	}
}

func TestScribeThatLostItsShardIsFenced(t *testing.T) {
	for name, sameProcess := range map[string]bool{"in one process": true, "in two": false} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, 1)
			l := b.ledger()
			other := l
			if !sameProcess {
				other = b.ledger()
			}
			old := b.claim(l)
			want(t, old.Write(t.Context(), next(1), said("e0")), nil)
			young := b.claim(other)
			want(t, old.Write(t.Context(), next(2), said("zombie")), muster.ErrFenced)
			want(t, young.Write(t.Context(), next(2), said("e1")), nil)
			if err := old.Write(t.Context(), next(3), said("zombie")); err == nil {
				t.Error("a fenced scribe wrote again")
			}
			want(t, young.Write(t.Context(), next(3), said("e2")), nil)
			if ids, at := b.seen(); !slices.Equal(ids, []string{"e0", "e1", "e2"}) || at != 3 {
				t.Errorf("published %v, checkpoint %d", ids, at)
			}
		})
	}
}

// The holder stops between its last produce and EndTxn; another one claims the shard and goes on; then the first one goes on.
func TestClaimAbortsWhatAnEarlierHolderHasOpen(t *testing.T) {
	b := newBed(t, 1)
	here, on := make(chan struct{}), make(chan struct{})
	armed := false
	old := b.claim(b.ledger(func(c *producer.LedgerConfig) {
		c.Failpoint = func(point string) {
			if armed && point == producer.PointAfterProduce {
				close(here)
				<-on
			}
		}
	}))
	want(t, old.Write(t.Context(), next(1), said("e0")), nil)
	armed = true
	result := make(chan error)
	go func() { result <- old.Write(t.Context(), next(2), said("zombie")) }()
	<-here
	young := b.claim(b.ledger())
	want(t, young.Write(t.Context(), next(2), said("e1")), nil)
	close(on)
	want(t, <-result, muster.ErrFenced)
	if ids, at := b.seen(); !slices.Equal(ids, []string{"e0", "e1"}) || at != 2 {
		t.Errorf("published %v, checkpoint %d", ids, at)
	}
}

func TestScribeKnowsWhatFits(t *testing.T) {
	b := newBed(t, 1)
	s := b.claim(b.ledger())
	for _, o := range []producer.Outgoing{
		{Topic: "elsewhere", Event: said("e")[0].Event},
		{Topic: public, Event: muster.CloudEvent{ID: "e", Source: "accounts", Type: "t", Payload: make([]byte, 2<<20)}},
	} {
		if err := s.Fits(&o); muster.CodeOf(err) != muster.InvalidArgument {
			t.Errorf("topic %s, %d bytes: %v", o.Topic, len(o.Event.Payload), err)
		}
	}
	if err := s.Fits(&said("e")[0]); err != nil {
		t.Error(err)
	}
}

func TestScribeIsOfNoUseAfterAnError(t *testing.T) {
	b := newBed(t, 1)
	s := b.claim(b.ledger())
	err := s.Write(t.Context(), next(1), []producer.Outgoing{{Topic: "elsewhere"}})
	want(t, err, muster.ErrAborted)
	s.Close()
	if err := s.Write(t.Context(), next(1), nil); !errors.Is(err, producer.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestRealScribe(t *testing.T) {
	b := onKafka(t, kafkatest.Real(t).Addresses())
	s := b.claim(b.ledger())
	var all []string
	for i := range 20 {
		want(t, s.Write(t.Context(), next(int64(i+1)), said("e"+strconv.Itoa(i))), nil)
		all = append(all, "e"+strconv.Itoa(i))
	}
	young := b.claim(b.ledger())
	want(t, s.Write(t.Context(), next(21), said("zombie")), muster.ErrFenced)
	want(t, young.Write(t.Context(), next(21), said("last")), nil)
	if ids, at := b.seen(); !slices.Equal(ids, append(all, "last")) || at != 21 {
		t.Errorf("published %v, checkpoint %d", ids, at)
	}
}
