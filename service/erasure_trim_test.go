package service_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster/examples/privacy/peoplepb"
	"github.com/seed-3eec0498/muster/service"
)

// trimmedCopy trims the journal of the house to one event of each aggregate, and copies its topics as a broker would leave them that has compacted: a
// service with the prefix "copy." has nothing but the snapshots for what was before.
func (h *erasureHouse) trimmedCopy(dir string, events int) {
	h.t.Helper()
	s := startPieces(h.t, h.config(dir, nil, h.owner()), 100, h.owner())
	done, err := s.Trim(bounded(h.t), h.group, service.TrimOptions{Keep: 1})
	if err != nil || done.Events != events {
		h.t.Fatalf("%d events were trimmed, want %d: %v", done.Events, events, err)
	}
	s.end()
	raw, err := kgo.NewClient(kgo.SeedBrokers(h.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(raw.Close)
	c := &copied{stage: &stage{t: h.t, brokers: h.brokers, bank: &bank{group: h.group}, raw: raw}, prefix: "copy."}
	c.gone, _ = c.removed()
	cfg := h.config(h.t.TempDir(), nil, h.owner())
	cfg.Prefix = c.prefix
	empty, err := service.Open(h.t.Context(), cfg, h.owner())
	if err != nil {
		h.t.Fatal(err)
	}
	if err := empty.Close(); err != nil {
		h.t.Fatal(err)
	}
	c.journalTo(-1, false)
	c.snapshots(nil)
}

// Where the journal was trimmed there is nothing to fold: what the snapshots have is redacted field by field, in the rows and in the topic, and what is
// not the person's stays as it was. What was derived from something personal stays, unless the state marks it.
func TestErasureOfATrimmedJournal(t *testing.T) {
	h := newErasureHouse(t, oneErasurePartition)
	dir := t.TempDir()
	h.alter = func(c *service.Config) { c.DedupWindow = time.Minute }
	s := h.start(dir, nil, h.owner())
	for range 3 {
		h.signsUp(s, "anna", "Anna")
		h.signsUp(s, "bert", "Bert")
	}
	s.end()
	h.trimmedCopy(dir, 4)

	h.alter = func(c *service.Config) { c.Prefix, c.DedupWindow = "copy.", time.Minute }
	s = h.start(t.TempDir(), nil, h.owner())
	wants := func(life string, gone bool) {
		t.Helper()
		for id, name := range map[string]string{"anna": "Anna", "bert": "Bert"} {
			got, err := h.ask.Call(bounded(t), s.Client(), id, &peoplepb.Ask{})
			if err != nil {
				t.Fatal(err)
			}
			if gone && id == "anna" {
				name = ""
			}
			if got.Name != name || (got.Email == "") != (name == "") || got.City != "Bern" || got.Orders != 3 || got.Letters != 4 {
				t.Errorf("%s: of %s there is %v", life, id, got)
			}
		}
	}
	wants("before the erasure", false)
	h.erases(s, "anna")
	wants("after the erasure", true)
	proof, err := s.Privacy().VerifyErased(bounded(t), "anna")
	if err != nil || !proof.Proven() || proof.Aggregates != 1 || proof.Events != 1 || proof.Snapshots != 2 {
		t.Errorf("the verification gives %+v, %v", proof, err)
	}
	s.end()
	s = h.start(t.TempDir(), nil, h.owner())
	wants("from the redacted snapshots", true)
	h.signsUp(s, "bert", "Bert")
	if got, err := h.ask.Call(bounded(t), s.Client(), "bert", &peoplepb.Ask{}); err != nil || got.Orders != 4 {
		t.Errorf("the other one goes on with %v, %v", got, err)
	}
}
