package service_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/viewhttp"
	"github.com/seed-3eec0498/muster/service"
)

// seeker is a wait for a shard that nobody holds yet, in virtual time.
type seeker struct {
	closed chan struct{}
	over   chan error

	mu      sync.Mutex // guards the rest
	asked   int        // how often the brokers were
	here    error
	holder  projector.Instance
	there   error
	changed chan struct{}
}

// set changes what the wait meets, and gives how often the brokers were asked before.
func (s *seeker) set(to func()) (asked int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	to()
	return s.asked
}

func (s *seeker) questions() int { return s.set(func() {}) }

func seek(ctx context.Context) *seeker {
	s := &seeker{
		here: &projector.NotHeldError{Projection: "totals@1", Shard: 3}, changed: make(chan struct{}), closed: make(chan struct{}), over: make(chan error, 1),
	}
	a := service.Awaiting{
		Closed: s.closed,
		Here: func(context.Context) (err error) {
			s.set(func() { err = s.here })
			return err
		},
		There: func(context.Context) (err error) {
			s.set(func() { err = s.there })
			return err
		},
		Changes: func() (changed <-chan struct{}) {
			s.set(func() { changed = s.changed })
			return changed
		},
		Holder: func(context.Context, int32) (at projector.Instance, known bool) {
			s.set(func() {
				s.asked++
				at = s.holder
			})
			return at, at.Name != ""
		},
	}
	go func() { s.over <- a.Run(ctx) }()
	return s
}

// change is one of the shards held here.
func (s *seeker) change() {
	s.set(func() {
		close(s.changed)
		s.changed = make(chan struct{})
	})
	synctest.Wait()
}

// A shard that nobody holds for a minute is asked about a hundred times or two, not three thousand.
func TestAwaitAsksTheBrokersLessAndLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s := seek(ctx)
		synctest.Wait()
		if asked := s.questions(); asked != 1 {
			t.Errorf("the brokers were asked %d times at the start, want once", asked)
		}
		err := <-s.over
		if muster.CodeOf(err) != muster.DeadlineExceeded {
			t.Errorf("the wait ended with %v", err)
		}
		// Pauses of 10 to 20 ms, 20 to 40 and so on up to 250 to 500.
		if asked := s.questions(); asked < 120 || asked > 250 {
			t.Errorf("the brokers were asked %d times within a minute, want 120 to 250", asked)
		}
	})
}

// A shard that comes here is seen when it comes: no time passes, and nobody is asked.
func TestAwaitSeesWhatComesHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := seek(t.Context())
		<-time.After(10 * time.Second) // of virtual time: the pauses are long by now
		synctest.Wait()
		before := time.Now()
		s.change() // of another shard
		asked := s.set(func() { s.here = nil })
		s.change()
		if err := <-s.over; err != nil {
			t.Error(err)
		}
		if now := s.questions(); now != asked || !time.Now().Equal(before) {
			t.Errorf("the brokers were asked %d times more, and %v went by", now-asked, time.Since(before))
		}
	})
}

// Who has the shard is waited at; where it has gone on meanwhile it is looked for again. Without an address the error says that it is elsewhere.
func TestAwaitGoesToTheHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := seek(t.Context())
		synctest.Wait()
		s.set(func() {
			s.there = &muster.Error{Code: muster.Unavailable, Reason: viewhttp.ReasonMoved, Retry: true}
			s.holder = projector.Instance{Name: "other", Address: "http://other"}
		})
		<-time.After(time.Second)
		synctest.Wait()
		if len(s.over) > 0 {
			t.Fatal("the wait ended when the shard had gone on")
		}
		paused := errors.New("the shard is paused there")
		s.set(func() { s.there = paused })
		if err := <-s.over; !errors.Is(err, paused) {
			t.Errorf("the wait ended with %v", err)
		}

		s = seek(t.Context())
		synctest.Wait()
		s.set(func() { s.holder = projector.Instance{Name: "other"} })
		if err := <-s.over; !errors.Is(err, muster.ErrNotHeld) {
			t.Errorf("of a holder without an address: %v", err)
		}
	})
}

// A service that ends does not keep those who wait.
func TestAwaitEndsWithTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := seek(t.Context())
		synctest.Wait()
		close(s.closed)
		if err := <-s.over; !errors.Is(err, muster.ErrShuttingDown) {
			t.Errorf("the wait ended with %v", err)
		}
	})
}
