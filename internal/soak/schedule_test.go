//go:build linux

package main

import (
	"slices"
	"testing"
	"time"
)

// deal gives the first steps of a hand.
func deal(seed uint64, h hand, chosen []class, brokers, n int) []step {
	s := newSchedule(seed, h, chosen, brokers, 3)
	if s == nil {
		return nil
	}
	steps := make([]step, n)
	for i := range steps {
		steps[i] = s.next()
	}
	return steps
}

func TestScheduleIsTheSeeds(t *testing.T) {
	for _, h := range []hand{handInstances, handBrokers} {
		one, same, other := deal(7, h, classes, 3, 50), deal(7, h, classes, 3, 50), deal(8, h, classes, 3, 50)
		if !slices.Equal(one, same) {
			t.Errorf("%s: the same seed dealt two schedules", h)
		}
		if slices.Equal(one, other) {
			t.Errorf("%s: two seeds dealt the same schedule", h)
		}
	}
}

// Between two hands that have all kinds there is none twice, whatever the seed, and every step keeps to its kind.
func TestScheduleDealsAllKinds(t *testing.T) {
	for seed := range uint64(20) {
		seen := map[string]bool{}
		for _, h := range []hand{handInstances, handBrokers} {
			own := newSchedule(seed, h, classes, 3, 3).kinds
			for _, s := range deal(seed, h, classes, 3, len(own)) {
				if seen[s.name] || s.hand != h {
					t.Errorf("seed %d: %s came again, or to %s", seed, s, h)
				}
				seen[s.name] = true
				if s.lasts < s.least || s.lasts > s.most || s.target < 0 || s.target > 2 || s.other < 0 || s.other > 2 || s.pause <= 0 {
					t.Errorf("seed %d: %+v", seed, s)
				}
			}
		}
		if len(seen) != len(kinds) {
			t.Errorf("seed %d: %d of %d kinds", seed, len(seen), len(kinds))
		}
	}
}

// One broker has no others to be cut from, and no replica to get its data from.
func TestScheduleWithOneBroker(t *testing.T) {
	for _, h := range []hand{handInstances, handBrokers} {
		for _, s := range deal(1, h, classes, 1, 50) {
			if s.brokers > 1 || s.name == "broker-lost" || s.other != 0 {
				t.Errorf("%s with one broker", s)
			}
		}
	}
	if deal(1, handBrokers, []class{classKill, classStop, classNet}, 1, 1) != nil {
		t.Error("there is something to do to the only broker, although nobody asked for it")
	}
}

// What stops an instance lasts longer than its session, so that another one takes over.
func TestStopsOutlastTheSession(t *testing.T) {
	for _, k := range kinds {
		if (k.class == classStop || k.name == "kill-takeover") && k.least <= session {
			t.Errorf("%s lasts from %v on; the session is %v", k.name, k.least, session)
		}
	}
}

// A step says what it does, so that a run can be followed.
func TestStepsAreTold(t *testing.T) {
	s := step{kind: kind{class: classNet, name: "cut-one", hand: handInstances}, target: 2, other: 1, lasts: 3 * time.Second}
	if got, want := s.String(), "cut-one instance 2, broker 1, for 3s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
