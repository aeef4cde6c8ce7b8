package service_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster/examples/privacy/peoplepb"
	"github.com/seed-3eec0498/muster/journal"
	"github.com/seed-3eec0498/muster/service"
)

// Settings that no store can have are told by the name they have here.
func TestStateStoreFaults(t *testing.T) {
	h := newErasureHouse(t)
	cfg := h.config(t.TempDir(), nil, h.owner())
	cfg.StateStore = service.StateStore{Cache: -1, WriteBuffer: 1}
	err := cfg.Validate()
	if err == nil {
		t.Fatal("it is valid")
	}
	for _, part := range []string{"StateStore", "-1 is negative", "64 KiB to 1 GiB"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v: does not say %q", err, part)
		}
	}
}

// Where less than the reserve is free nothing is stored: the partition waits for room and says so, whatever the disk has.
func TestStateStoreReserve(t *testing.T) {
	h := newErasureHouse(t, oneErasurePartition)
	cfg := h.config(t.TempDir(), nil, h.owner())
	cfg.StateStore.Reserve = 1 << 60
	s, err := service.Open(t.Context(), cfg, h.owner())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	calls, give := context.WithCancel(t.Context())
	go h.signUp.Call(calls, s.Client(), "anna", &peoplepb.SignUp{Name: "Anna"}) //nolint:errcheck // it is there to have something to store
	eventually(t, "the partition waits for room", func() bool {
		for _, p := range s.Status() {
			if p.State == service.Recovering && errors.Is(p.Cause, journal.ErrFull) {
				return true
			}
		}
		return false
	})
	give()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
