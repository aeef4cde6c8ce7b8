package muster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ThrottleConfig says how much a [Throttle] lets through.
type ThrottleConfig struct {
	// PerSecond is how many commands pass per second in the long run. It must be above zero.
	PerSecond float64
	// Burst is how many may pass at once after a quiet time. Zero means PerSecond, at least 1.
	Burst int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Validate reports everything that is wrong with the settings, joined.
func (c ThrottleConfig) Validate() error {
	var faults []error
	if !(c.PerSecond > 0 && c.PerSecond <= 1e9) {
		faults = append(faults, fmt.Errorf("throttle: PerSecond is %v; it must be above zero and at most 1e9", c.PerSecond))
	}
	if c.Burst < 0 {
		faults = append(faults, fmt.Errorf("throttle: Burst is %d; zero means PerSecond, else at least 1", c.Burst))
	}
	return errors.Join(faults...)
}

// Throttle is middleware that bounds the rate of what stands inside it, with a token bucket that all it is put around share. Around a
// handler a command too many is refused at once with ResourceExhausted, Retry set, and nothing is remembered of it: waiting there would hold up the whole batch. Around
// a send it waits for its turn, until its context ends. The error is what Validate reports.
func Throttle(cfg ThrottleConfig) (Middleware, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	b := &bucket{rate: cfg.PerSecond, burst: float64(cfg.Burst), now: cfg.Now}
	if b.now == nil {
		b.now = time.Now
	}
	if b.burst == 0 {
		b.burst = max(cfg.PerSecond, 1)
	}
	b.tokens, b.at = b.burst, b.now()
	return func(next Invoke) Invoke {
		return func(ctx context.Context, call *Invocation) (*Outcome, error) {
			if call.Stage == StageHandle {
				if !b.take() {
					return nil, busy(call)
				}
			} else if err := b.wait(ctx); err != nil {
				return nil, notSent(err)
			}
			return next(ctx, call)
		}
	}, nil
}

func busy(call *Invocation) *Error {
	e := Errorf(ResourceExhausted, "too many commands of type %s at this time; try again", call.Command.Type)
	e.Reason, e.Retry = ReasonThrottled, true
	return e
}

// bucket holds tokens, one per command; below zero it says how many commands wait.
type bucket struct {
	rate, burst float64
	now         func() time.Time

	mu     sync.Mutex // guards what follows
	tokens float64
	at     time.Time // when tokens was right
}

// refillLocked adds what has come in since. A clock that goes back adds nothing. The caller holds mu.
func (b *bucket) refillLocked() {
	now := b.now()
	if passed := now.Sub(b.at); passed > 0 {
		b.tokens = min(b.burst, b.tokens+b.rate*passed.Seconds())
	}
	b.at = now
}

func (b *bucket) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refillLocked()
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// wait takes a token that may have to come in first, and returns when it has. A wait that ctx ends gives it back.
func (b *bucket) wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	b.refillLocked()
	b.tokens--
	missing := -b.tokens
	b.mu.Unlock()
	if missing <= 0 {
		return nil
	}
	timer := time.NewTimer(time.Duration(missing / b.rate * float64(time.Second)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		b.mu.Lock()
		b.tokens = min(b.burst, b.tokens+1)
		b.mu.Unlock()
		return ctx.Err()
	}
}
