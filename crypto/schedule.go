package crypto

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// DefaultRotateEvery is the age at which a generation is followed by the next one, unless it is set.
	DefaultRotateEvery = 30 * 24 * time.Hour
	// DefaultRotateKeep is how long a generation is kept after that, unless it is set.
	DefaultRotateKeep = 24 * time.Hour
)

// ScheduleConfig says when a [Schedule] changes the generation of keys. Rotation and Ledger must be set.
type ScheduleConfig struct {
	Rotation *Rotation
	Ledger   *Ledger
	// Every is the age at which a generation is followed by the next one. Zero means 30 days.
	Every time.Duration
	// Keep is how long a generation is kept after the next one has begun: as long backups of the key store from before can be used. An erasure reaches
	// every copy (level L2) after Every and Keep at the latest. Zero means 24 hours; less than Every, and at least a minute.
	Keep time.Duration
	// Lease is how long nothing may be heard of the process that is at it before another goes on. Zero means one minute.
	Lease time.Duration
	// Logger hears what was done. Nil means that nothing is logged.
	Logger *slog.Logger
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Failpoint is called at named points; crash tests end there. Nil in production.
	Failpoint func(name string)
}

func (c *ScheduleConfig) fill() error {
	if c.Rotation == nil || c.Ledger == nil {
		return fmt.Errorf("%w: a schedule of rotations needs Rotation and Ledger", errInput)
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		none  time.Duration
	}{{"Every", &c.Every, DefaultRotateEvery}, {"Keep", &c.Keep, DefaultRotateKeep}, {"Lease", &c.Lease, time.Minute}} {
		if *d.value == 0 {
			*d.value = d.none
		}
		if *d.value < time.Minute {
			return fmt.Errorf("%w: %s of a schedule of rotations is %v; give a minute or more, or 0 for %v", errInput, d.name, *d.value, d.none)
		}
	}
	if c.Keep >= c.Every {
		return fmt.Errorf("%w: Keep of a schedule of rotations is %v; give less than Every, which is %v", errInput, c.Keep, c.Every)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Failpoint == nil {
		c.Failpoint = func(string) {}
	}
	return nil
}

// Schedule rotates generations when they are due, in whichever process is there: [Schedule.Advance] does what can be done now. What is due is read from
// the key store, who is at it from the ledger; so any process goes on where another has died, and one works while the others look on.
//
//	age of the current generation >= Every                    =>  the next one begins
//	an earlier one lives and not everything is wrapped anew    =>  everything is wrapped under the current one, and counted
//	an earlier one lives and the current one is Keep old       =>  that is done once more, and the earlier one is destroyed
type Schedule struct {
	config ScheduleConfig

	mu     sync.Mutex // guards what follows
	status ScheduleStatus
	rest   time.Time // nothing is tried before, since something has failed
	failed int       // tries in a row

	turn  sync.Mutex // held by Advance; guards what follows
	heard claimHeard
}

// ScheduleStatus says how far a [Schedule] is, as of the last [Schedule.Advance] of this process.
type ScheduleStatus struct {
	Generation uint32    // the current one; 0 where nothing was ever sealed
	Since      time.Time // when it began
	Earlier    []uint32  // generations before it that are not destroyed
	Rotated    time.Time // when all keys were last found under the generation that was the current one then; by the ledger
	Live       int       // keys there were then
	By         string    // service/instance that is rotating now; empty: none
	Rewrapped  int64     // keys that this process has wrapped anew
	Failures   int64     // tries of this process that have failed
	Err        error     // why the last one has; nil: it has not
}

// NewSchedule makes one.
func NewSchedule(c ScheduleConfig) (*Schedule, error) {
	if err := c.fill(); err != nil {
		return nil, err
	}
	return &Schedule{config: c}, nil
}

// Status gives what is known of the rotation.
func (s *Schedule) Status() ScheduleStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// Advance does what is due, unless another process is at it. After a failure it rests, for a minute at first and for an hour at most, and does nothing
// when it is called meanwhile. It returns when there is nothing more to do, so it may take as long as wrapping all keys anew; call it once a minute or so.
func (s *Schedule) Advance(ctx context.Context) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	resting := s.config.Now().Before(s.rest)
	s.mu.Unlock()
	if resting {
		return nil
	}
	err := s.advance(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status.Err = err; err == nil {
		s.failed, s.rest = 0, time.Time{}
		return nil
	}
	if ctx.Err() == nil {
		s.status.Failures++
		s.rest = s.config.Now().Add(min(time.Minute<<s.failed, time.Hour))
		s.failed = min(s.failed+1, 6)
	}
	return err
}

func (s *Schedule) advance(ctx context.Context) error {
	if err := s.config.Ledger.Sync(ctx); err != nil {
		return err
	}
	task, err := s.look(ctx)
	if err != nil || !task.any() {
		return err
	}
	mine, err := s.claim(ctx)
	if err != nil || !mine {
		return err
	}
	s.config.Failpoint("rotation-claimed")
	return s.holding(ctx, s.work)
}

// rotationTask is what is due.
type rotationTask struct {
	generation             uint32 // the current one
	earlier                []uint32
	begin, rewrap, destroy bool
}

func (t *rotationTask) any() bool { return t.begin || t.rewrap || t.destroy }

// look finds out what is due, and keeps it for those who ask for the status.
func (s *Schedule) look(ctx context.Context) (t rotationTask, err error) {
	current, since, err := s.config.Rotation.Current(ctx)
	if err != nil || current == 0 {
		return t, err
	}
	t.generation = current
	if t.earlier, err = s.config.Rotation.earlier(ctx, current); err != nil {
		return t, err
	}
	told, age := s.config.Ledger.rotations(), s.config.Now().Sub(since)
	t.begin = age >= s.config.Every
	t.rewrap = len(t.earlier) > 0 && told.wrapped < current
	t.destroy = len(t.earlier) > 0 && age >= s.config.Keep
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Generation, s.status.Since, s.status.Earlier = current, since, t.earlier
	s.status.Rotated, s.status.Live, s.status.By = told.at, told.live, ""
	if t.any() {
		s.status.By = told.holder
	}
	return t, nil
}

// work does all that is due. Each step is found done, or is done again, by whoever goes on after a crash.
func (s *Schedule) work(ctx context.Context) error {
	for begun := false; ; {
		task, err := s.look(ctx)
		switch {
		case err != nil:
			return err
		case task.rewrap || task.destroy:
			if err = s.rewrap(ctx); err == nil && task.destroy {
				err = s.destroy(ctx, task.earlier)
			}
		case task.begin && !begun: // once, whatever the clocks of key store and process say
			begun, err = true, s.begin(ctx)
		default:
			if err = s.note(ctx, &ledgerRecord{Stage: stageReleased, Generation: task.generation}); err == nil {
				s.config.Failpoint("rotation-released")
				_, err = s.look(ctx)
			}
			return err
		}
		if err != nil {
			return err
		}
	}
}

func (s *Schedule) begin(ctx context.Context) error {
	generation, err := s.config.Rotation.Begin(ctx)
	if err != nil {
		return err
	}
	s.config.Failpoint("rotation-begun")
	return s.note(ctx, &ledgerRecord{Stage: stageBegun, Generation: generation})
}

func (s *Schedule) rewrap(ctx context.Context) error {
	done, err := s.config.Rotation.Rewrap(ctx)
	s.mu.Lock()
	s.status.Rewrapped += int64(done.Wrapped)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	s.config.Failpoint("rotation-rewrapped")
	if s.config.Ledger.rotations().wrapped >= done.Generation && done.Wrapped == 0 {
		return nil // it stands there already
	}
	return s.note(ctx, &ledgerRecord{Stage: stageWrapped, Generation: done.Generation, Count: done.Live, Wrapped: done.Wrapped})
}

func (s *Schedule) destroy(ctx context.Context, generations []uint32) error {
	for _, g := range generations {
		err := s.config.Rotation.Destroy(ctx, g)
		if errors.Is(err, ErrGenerationInUse) { // a key was stored meanwhile; the next look wraps it
			return fmt.Errorf("a generation is kept for now: %w", err)
		}
		if err != nil {
			return err
		}
		s.config.Failpoint("rotation-destroyed")
		if err := s.note(ctx, &ledgerRecord{Stage: stageDestroyed, Generation: g}); err != nil {
			return err
		}
	}
	return nil
}
