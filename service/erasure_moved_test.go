package service_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/examples/privacy/peoplepb"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

// An instance has carried erasures out, and loses a partition before it says so. Another one has it now, with rows from before: the acknowledgement is that
// one's to give.
func TestAPartitionIsAcknowledgedByWhoHasIt(t *testing.T) {
	h := newErasureHouse(t)
	ids := map[int32]string{}
	for n := 0; len(ids) < 2; n++ {
		id := fmt.Sprint("person-", n)
		ids[kafka.Partition(id, 2)] = id
	}
	older := t.TempDir()
	s := h.start(older, nil, h.owner())
	for _, id := range ids {
		h.signsUp(s, id, "Anna")
	}
	s.end()

	carried, proceed, behind := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var once sync.Once
	release := sync.OnceFunc(func() { close(proceed) })
	erase := sync.OnceFunc(func() { close(behind) })
	t.Cleanup(release)
	t.Cleanup(erase)
	h.start(t.TempDir(), func(at string) {
		if at == "erasure-carried-out" {
			once.Do(func() { close(carried) })
			<-proceed
		}
	}, h.owner())
	desk := h.start("", nil)
	for _, id := range ids {
		if _, err := desk.Privacy().Erase(bounded(t), id, "gdpr-17", "desk"); err != nil {
			t.Fatal(err)
		}
	}
	within(t, "the first instance has carried an erasure out", carried)
	second := h.start(older, func(at string) {
		if at == "erasing-heard" {
			<-behind
		}
	}, h.owner())
	moved := int32(-1)
	eventually(t, "the second instance serves one partition", func() bool {
		for _, st := range second.Status() {
			if st.State == service.Serving {
				moved = st.Partition
			}
		}
		return moved >= 0
	})
	release()
	for _, id := range ids {
		var e crypto.Erasure
		eventually(t, "the first instance has acknowledged", func() bool {
			var err error
			e, err = desk.Privacy().Status(bounded(t), id)
			return err == nil && len(e.Missing()) < 2
		})
		if missing := e.Missing(); len(missing) != 1 || missing[0].Partition != moved {
			got, err := h.ask.Call(bounded(t), desk.Client(), ids[moved], &peoplepb.Ask{})
			t.Errorf("the erasure of %s is %s with %v missing, while another has the partition %d; who asks for %s there gets %v, %v", id, e.State, missing, moved, ids[moved], got, err)
		}
	}
	erase()
	for _, id := range ids {
		h.await(desk, id)
		if got, err := h.ask.Call(bounded(t), desk.Client(), id, &peoplepb.Ask{}); err != nil || got.Letters != 0 || got.City != "Bern" {
			t.Errorf("of %s the owner has %v, %v", id, got, err)
		}
	}
}
