package crypto_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster/crypto"
)

const scheduleDay = 24 * time.Hour

func TestScheduledRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newScheduleWorld(t)
		p := w.process("a")
		<-time.After(10*scheduleDay - time.Second)
		if is := w.advance(p); is.Generation != 1 || p.writes != 0 {
			t.Fatalf("before its time: %+v", is)
		}
		<-time.After(time.Second)
		w.advance(p)
		w.wantGeneration(p, 2, 1)
		w.wantErasure(p, crypto.ErasurePurged)
		<-time.After(scheduleDay)
		w.advance(p)
		w.wantGeneration(p, 2)
		w.wantErasure(p, crypto.ErasureUnrecoverable)
		if err := crypto.OpenKey(t.Context(), w.keys, w.kms, "tenant", w.first[0]); !errors.Is(err, crypto.ErrKeyMissing) {
			t.Errorf("a copy from before opens: %v", err)
		}
		if is := p.schedule.Status(); is.Rewrapped != 3 || is.Failures != 0 || is.Rotated.IsZero() {
			t.Errorf("%+v", is)
		}
		<-time.After(25 * scheduleDay) // nobody was there when the next one was due
		w.advance(p)
		w.wantGeneration(p, 3, 2)
		writes := p.writes
		w.wantGeneration(p, 3, 2)
		if p.writes != writes {
			t.Error("it writes although nothing is due")
		}
	})
}

// Whatever write a process dies in, before or after it is done, another finishes the rotation: nothing is lost, and the old generation is destroyed.
func TestScheduledRotationSurvivesAKillAtEachWrite(t *testing.T) {
	for _, late := range []bool{false, true} {
		for last, survived := 1, false; !survived; last++ {
			synctest.Test(t, func(t *testing.T) {
				w := newScheduleWorld(t)
				first, second := w.process("a"), w.process("b")
				first.last, first.late = last, late
				<-time.After(10 * scheduleDay)
				_ = first.schedule.Advance(t.Context()) // killed, or through with the first half
				<-time.After(scheduleDay)
				_ = first.schedule.Advance(t.Context())
				survived = !first.killed()
				for range 3 { // the first look only hears of who is at it
					w.advance(second)
					<-time.After(time.Minute)
				}
				<-time.After(scheduleDay)
				w.advance(second)
				w.wantGeneration(second, 2)
				w.wantErasure(second, crypto.ErasureUnrecoverable)
			})
		}
		if t.Failed() {
			return
		}
	}
}

// Of many who are there one is at it, and the others do nothing until nothing was heard of it for a lease.
func TestOneProcessRotates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newScheduleWorld(t)
		stop := make(chan struct{})
		first := w.process("a", func(c *crypto.ScheduleConfig) {
			c.Failpoint = func(name string) {
				if name == "rotation-begun" {
					<-stop
				}
			}
		})
		second := w.process("b")
		<-time.After(10 * scheduleDay)
		done := make(chan error, 1)
		go func() { done <- first.schedule.Advance(t.Context()) }()
		for range 10 { // a is slow, but says that it is there
			<-time.After(time.Minute)
			if is := w.advance(second); is.By != "a" || second.writes != 0 {
				t.Fatalf("beside the one that is at it: %+v, %d writes", is, second.writes)
			}
		}
		close(stop)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		w.wantGeneration(second, 2, 1)
	})
}

// A process that was cut off from the ledger for too long is not at it any more, and what it still wants to note does not count.
func TestARotationThatIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newScheduleWorld(t)
		var first *scheduleProcess
		cut := make(chan struct{})
		first = w.process("a", func(c *crypto.ScheduleConfig) {
			c.Failpoint = func(name string) {
				if name == "rotation-begun" {
					first.mu.Lock()
					first.dead = true
					first.mu.Unlock()
					<-cut
				}
			}
		})
		second := w.process("b")
		<-time.After(10 * scheduleDay)
		done := make(chan error, 1)
		go func() { done <- first.schedule.Advance(t.Context()) }()
		synctest.Wait()
		w.advance(second)
		<-time.After(2 * time.Minute)
		w.advance(second)
		w.wantGeneration(second, 2, 1)
		first.mu.Lock()
		first.dead = false
		first.mu.Unlock()
		close(cut)
		if err := <-done; err == nil || !strings.Contains(err.Error(), "another process") {
			t.Errorf("the one that was taken over: %v", err)
		}
		w.wantGeneration(second, 2, 1)
	})
}

// After a failure it rests, longer and longer, and says so.
func TestARotationThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newScheduleWorld(t)
		if _, err := w.keys.PutIfAbsent(t.Context(), topicEntry(crypto.SubjectRef{9}, 9)); err != nil { // of another tenant
			t.Fatal(err)
		}
		p := w.process("a")
		<-time.After(10 * scheduleDay)
		tries := 0
		for range 24 * 60 {
			if err := p.schedule.Advance(t.Context()); err != nil {
				tries++
			}
			<-time.After(time.Minute)
		}
		is := p.schedule.Status()
		if !errors.Is(is.Err, crypto.ErrTampered) || int(is.Failures) != tries || tries < 24 || tries > 30 {
			t.Errorf("a day of failures: %d tries, %+v", tries, is)
		}
		for n := range byte(3) {
			w.opens(n+1, 2)
		}
	})
}

// Who dies between the tenants of a new generation leaves none without one.
func TestARotationThatBeganForSomeTenants(t *testing.T) {
	keys, kms := crypto.NewMemoryKeys(), crypto.NewMemoryKMS()
	for _, tenant := range []string{"red", "blue"} {
		if _, err := crypto.CreateKey(t.Context(), keys, kms, tenant, crypto.SubjectRef{tenant[0]}, func() {}); err != nil {
			t.Fatal(err)
		}
	}
	rotation := func(tenants ...string) *crypto.Rotation {
		r, err := crypto.NewRotation(crypto.RotationConfig{Keys: keys, KMS: kms, Tenants: tenants})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if _, err := rotation("red").Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	both := rotation("red", "blue")
	if done, err := both.Rewrap(t.Context()); err != nil || done.Live != 2 || done.Wrapped != 2 {
		t.Fatal(done, err)
	}
	if err := both.Destroy(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for _, tenant := range []string{"red", "blue", "green"} { // the last one comes late
		e, err := crypto.CreateKey(t.Context(), keys, kms, tenant, crypto.SubjectRef{tenant[0], 1}, func() {})
		if err != nil || e.Generation != 2 {
			t.Errorf("a new key of tenant %s: %+v, %v", tenant, e, err)
		}
	}
}

func TestScheduleConfig(t *testing.T) {
	w := newScheduleWorld(t)
	p := w.process("a")
	for name, change := range map[string]func(*crypto.ScheduleConfig){
		"Rotation": func(c *crypto.ScheduleConfig) { c.Rotation = nil },
		"Ledger":   func(c *crypto.ScheduleConfig) { c.Ledger = nil },
		"Every":    func(c *crypto.ScheduleConfig) { c.Every = time.Second },
		"Keep":     func(c *crypto.ScheduleConfig) { c.Keep = 31 * scheduleDay },
		"Lease":    func(c *crypto.ScheduleConfig) { c.Lease = -1 },
	} {
		c := crypto.ScheduleConfig{Rotation: p.rotation, Ledger: p.ledger}
		change(&c)
		if _, err := crypto.NewSchedule(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.schedule.Advance(ctx); err == nil || p.schedule.Status().Failures != 0 {
		t.Errorf("a schedule that is ended: %v, %+v", err, p.schedule.Status())
	}
}

// A key store whose clock is far behind gets one generation for each Advance, and not one after the other without end.
func TestARotationByTwoClocks(t *testing.T) {
	w := newScheduleWorld(t)
	p := w.process("a", func(c *crypto.ScheduleConfig) { c.Now = func() time.Time { return time.Now().Add(365 * scheduleDay) } })
	for want := uint32(2); want < 4; want++ {
		if is := w.advance(p); is.Generation != want || len(is.Earlier) > 0 {
			t.Fatalf("%+v", is)
		}
	}
}
