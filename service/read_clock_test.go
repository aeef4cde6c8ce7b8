package service_test

import (
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/service"
)

// set gives a reading whose wall clock was set by whole seconds and whose monotonic clock was not. The standard library has no way to make
// one, so this changes the seconds where they lie: 33 bits from bit 30 of the first word.
func set(now time.Time, by time.Duration) time.Time {
	*(*uint64)(unsafe.Pointer(&now)) += uint64(int64(by/time.Second)) << 30
	return now
}

// The service's clock follows small corrections, and neither follows jumps nor goes back.
func TestReadClock(t *testing.T) {
	by := time.Duration(0)
	now := service.NewClock(func() time.Time { return set(time.Now(), by) })
	first := now()
	if first.Nanosecond()%1000 != 0 || first.Location() != time.UTC || time.Since(first).Abs() > time.Minute {
		t.Errorf("%v; want about now, in whole microseconds and UTC", first)
	}
	const slack = 500 * time.Millisecond // that the test itself may take
	for _, c := range []struct {
		name      string
		by, least time.Duration // what the wall clock is set to, beside the true time, and what the clock may show of it
		most      time.Duration
	}{
		{"an hour back", -time.Hour, 0, 0},
		{"right again", 0, 0, 0},
		{"an hour ahead", time.Hour, 0, 0},
		{"right again after that", 0, 0, 0},
		{"a second back", -time.Second, 0, 0},
		{"a second ahead", time.Second, time.Second, time.Second},
	} {
		before := now()
		by = c.by
		got := now()
		if got.Before(before) {
			t.Errorf("%s: the clock went from %v to %v", c.name, before, got)
		}
		if off := time.Until(got); off < c.least-slack || off > c.most+slack {
			t.Errorf("%s: the clock is %v off; want %v to %v", c.name, off, c.least, c.most)
		}
	}
}

// A clock that stays set apart is followed after five minutes, forward and back: else a machine that started with a wrong clock would
// refuse what others send until its restart.
func TestReadClockThatStaysApart(t *testing.T) {
	begin, elapsed, by := time.Now(), time.Duration(0), time.Duration(0)
	now := service.NewClock(func() time.Time { return set(begin.Add(elapsed), by) })
	off := func() time.Duration { return now().Sub(begin.Add(elapsed)).Round(time.Second) }
	for _, by = range []time.Duration{time.Hour, 0, -time.Hour} {
		before := off()
		for range 4 {
			elapsed += time.Minute
			if got := off(); got != before {
				t.Fatalf("set %v apart, the clock went from %v off to %v within five minutes", by, before, got)
			}
		}
		elapsed += 2 * time.Minute
		if got := off(); got != by {
			t.Errorf("set %v apart for six minutes, the clock is %v off", by, got)
		}
	}
}

// The clock of owner or caller is set an hour ahead or back while commands run: none expires, none is answered wrongly, what is remembered
// stays remembered.
func TestReadClockJumps(t *testing.T) {
	for direction, jump := range map[string]time.Duration{"ahead": time.Hour, "back": -time.Hour} {
		for who, owner := range map[string]bool{"owner": true, "caller": false} {
			t.Run(who+"-"+direction, func(t *testing.T) {
				st := newStage(t, kafkatest.Brokers(t), 1)
				var by atomic.Int64
				read := func() time.Time { return set(time.Now(), time.Duration(by.Load())) }
				s := opened(st, st.config(), clockOf(owner, read), st.owner(nil))
				caller := opened(st, callerOf(st), clockOf(!owner, read))
				first := st.ask(caller, "acc-1", "before", 1)
				by.Store(int64(jump))
				for range 3 {
					st.served(caller, "acc-1")
				}
				if got := st.ask(caller, "acc-1", "before", 1); got.balance != first.balance || !got.repeated {
					t.Errorf("repeat after the jump: %+v; want the answer %+v", got, first)
				}
				by.Store(0)
				st.served(caller, "acc-1")
				for e, err := range s.History(t.Context(), st.group, "acc-1") {
					if err != nil || time.Since(e.Time).Abs() > time.Minute {
						t.Errorf("event of %v, %v; want the time as it was before the jump, going on", e.Time, err)
					}
				}
				if n := st.counter("muster_dead_letters_total", nil); n != 0 {
					t.Errorf("%v commands became dead letters", n)
				}
			})
		}
	}
}

// After the machine's clock was set an hour ahead, the service's own is an hour behind what libraries read: nothing they do may depend on
// the difference. Owner and callers are on that machine.
func TestReadClockBehindTheMachine(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	behind := func() time.Time { return time.Now().Add(-time.Hour) }
	s := opened(st, st.config(), behind, st.owner(nil))
	st.served(s, "acc-1")
	st.served(opened(st, callerOf(st), behind), "acc-1")
}

func clockOf(injected bool, read func() time.Time) func() time.Time {
	if injected {
		return read
	}
	return time.Now
}

// opened runs a service with a clock of the test's.
func opened(st *stage, cfg service.Config, read func() time.Time, parts ...service.Part) *running {
	st.t.Helper()
	s, err := service.Open(st.t.Context(), cfg, parts...)
	if err != nil {
		st.t.Fatal(err)
	}
	s.SetClock(read)
	r := launched(st.t, s)
	if err := r.AwaitReady(st.within()); err != nil {
		st.t.Fatal(err)
	}
	return r
}
