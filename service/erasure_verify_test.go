package service_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/examples/privacy/peoplepb"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// blindCodec does not tell whose a payload is, while it is blind: an erasure passes over what it looks for.
type blindCodec struct {
	*crypto.Codec
	blind atomic.Bool
}

func (c *blindCodec) Subjects(dst []muster.SubjectRef, data []byte) []muster.SubjectRef {
	if c.blind.Load() {
		return dst
	}
	return c.Codec.Subjects(dst, data)
}

// A proof looks into the rows of views, letters and snapshots, and names where something is left, without the keys of rows and the ids of aggregates.
func TestVerifyErasedFindsWhatIsLeft(t *testing.T) {
	h := newErasureHouse(t)
	view := projector.NewView[*peoplepb.Person](h.name, projector.OnFailure(projector.Policy{Tries: 1}))
	projector.On(view, h.signed, func(_ context.Context, rows *projector.Rows[*peoplepb.Person], e *peoplepb.SignedUp, m muster.Meta) error {
		if e.City == "Atlantis" {
			return errors.New("nowhere to send a letter to " + e.Name)
		}
		return rows.Put(m.AggregateID, &peoplepb.Person{Name: e.Name, City: e.City})
	})
	codec := &blindCodec{}
	h.alter = func(c *service.Config) {
		codec.Codec = c.Codec.(*crypto.Codec)
		c.Codec = codec
	}
	dir := t.TempDir()
	s := h.start(dir, nil, h.owner(), view)
	for _, id := range []string{"anna", "bert", "cleo"} {
		h.signsUp(s, id, id, muster.WaitFor(view))
		if _, err := h.signUp.Send(t.Context(), s.Client(), id, &peoplepb.SignUp{Name: id, City: "Atlantis"}); err != nil {
			t.Fatal(err)
		}
	}
	letters := func() []projector.Letter {
		all, err := s.Operator().Letters(bounded(t), projector.LetterQuery{Scope: projector.Scope{Projection: h.name}})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	eventually(t, "three events are parked", func() bool { return len(letters()) == 3 })
	s.end() // writes snapshots
	old := h.snapshotsOf("anna", "bert")
	s = h.start(dir, nil, h.owner(), view)
	erase := func(id string) service.Verification {
		t.Helper()
		h.erases(s, id)
		codec.blind.Store(false)
		proof, err := s.Privacy().VerifyErased(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return proof
	}

	proof := erase("anna")
	if len(proof.Faults) > 0 || proof.Rows != 3 || proof.Letters != 1 || proof.Snapshots != 3 || proof.Events != 2 || proof.Aggregates != 1 {
		t.Errorf("of a whole erasure the proof is %+v", proof)
	}
	for _, l := range letters() {
		if id := l.Event.AggregateID; id == "anna" && l.Cause != projector.CauseErased || id != "anna" && !strings.HasSuffix(l.Cause, id) {
			t.Errorf("the letter of %s has the cause %q", id, l.Cause)
		}
	}

	codec.blind.Store(true)
	proof = erase("bert")
	h.wantFaults(proof, "view "+h.name+"@1, shard", "1 rows still have a part", "1 letters still have a cause")

	client, err := kgo.NewClient(kgo.SeedBrokers(h.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(t.Context(), old...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if proof, err = s.Privacy().VerifyErased(t.Context(), "anna"); err != nil {
		t.Fatal(err)
	}
	h.wantFaults(proof, "1 snapshots still have a part sealed")
}

func (h *erasureHouse) wantFaults(proof service.Verification, want ...string) {
	h.t.Helper()
	text := strings.Join(proof.Faults, "\n")
	for _, w := range want {
		if !strings.Contains(text, w) {
			h.t.Errorf("the faults do not tell %q:\n%s", w, text)
		}
	}
	for _, id := range []string{"anna", "bert", "cleo"} {
		if strings.Contains(text, id) {
			h.t.Errorf("a fault tells the id %s:\n%s", id, text)
		}
	}
}

// snapshotsOf reads the last snapshots of some aggregates.
func (h *erasureHouse) snapshotsOf(ids ...string) []*kgo.Record {
	h.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(h.brokers...), kgo.ConsumeTopics(h.group.SnapshotTopic("")),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(50*time.Millisecond))
	if err != nil {
		h.t.Fatal(err)
	}
	defer client.Close()
	found := map[string]*kgo.Record{}
	for ctx := bounded(h.t); len(found) < len(ids); {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			h.t.Fatalf("the snapshots are not all there: %v", found)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			for _, id := range ids {
				if strings.Contains(string(r.Key), id) {
					found[id] = &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers}
				}
			}
		})
	}
	all := make([]*kgo.Record, 0, len(found))
	for _, r := range found {
		all = append(all, r)
	}
	return all
}
