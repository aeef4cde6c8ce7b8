package crypto

import (
	"context"
	"errors"
	"time"
)

// Who rotates says so on the ledger, where the first of several who say it side by side counts, and says it again every third of the lease. Who has
// heard of nothing new for a lease, by its own clock, takes over. No clocks are compared. When two are at it all the same, one of them slow, no harm
// is done: every step is idempotent, and the one that was taken over finds that its records do not count.

// rotationBook is what the ledger says of rotations.
type rotationBook struct {
	holder  string // service/instance that is at it; empty: nobody
	claims  int    // how often it was said that somebody is at it
	wrapped uint32 // the generation under which all keys were last found
	live    int    // keys there were then
	at      time.Time
}

// rotate folds a record of kind rotation.
func (b *rotationBook) rotate(r *ledgerRecord) bool {
	if r.Stage == stageClaimed {
		b.holder = r.By
		b.claims++
		return r.By != ""
	}
	if r.By != b.holder {
		return false
	}
	switch r.Stage {
	case stageBegun, stageDestroyed:
	case stageWrapped:
		b.wrapped, b.live, b.at = r.Generation, r.Count, r.Time
	case stageReleased:
		b.holder = ""
	default:
		return false
	}
	return true
}

// rotations gives what the ledger says of rotations, as of the last read.
func (l *Ledger) rotations() rotationBook {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.book.rotation
}

// claimHeard is the last claim of another process that was heard of.
type claimHeard struct {
	claims int
	since  time.Time // on the own clock
}

var errClaimLost = errors.New("another process has taken over the rotation of keys, or the ledger cannot be written")

// claim says that this process is at it, unless another one is.
func (s *Schedule) claim(ctx context.Context) (mine bool, err error) {
	err = s.config.Ledger.append(ctx, func(b *ledgerBook) (*ledgerRecord, error) {
		mine = b.rotation.holder == "" || b.rotation.holder == s.config.Ledger.by || s.lapsed(&b.rotation)
		if !mine {
			return nil, nil //nolint:nilnil // nothing to write is an answer
		}
		return &ledgerRecord{Kind: kindRotation, Stage: stageClaimed}, nil
	})
	return mine && err == nil, err
}

// lapsed tells whether nothing was heard of the holder for a lease.
func (s *Schedule) lapsed(b *rotationBook) bool {
	now := s.config.Now()
	if b.claims != s.heard.claims {
		s.heard = claimHeard{b.claims, now}
	}
	return now.Sub(s.heard.since) >= s.config.Lease
}

// note writes what was done, where this process is still the one that is at it.
func (s *Schedule) note(ctx context.Context, r *ledgerRecord) error {
	return s.config.Ledger.append(ctx, func(b *ledgerBook) (*ledgerRecord, error) {
		if b.rotation.holder != s.config.Ledger.by {
			return nil, errClaimLost
		}
		fresh := *r
		fresh.Kind = kindRotation
		return &fresh, nil
	})
}

// holding runs f and keeps the claim meanwhile. Where it is lost, f's context ends.
func (s *Schedule) holding(ctx context.Context, f func(context.Context) error) error {
	held, lost := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.keep(held, lost)
	}()
	defer func() {
		lost(nil)
		<-ended
	}()
	err := f(held)
	if cause := context.Cause(held); cause != nil && ctx.Err() == nil {
		return cause
	}
	return err
}

// keep says every third of the lease that this process is at it. After two tries that have failed it is not any more.
func (s *Schedule) keep(ctx context.Context, lost func(error)) {
	beat := time.NewTicker(s.config.Lease / 3)
	defer beat.Stop()
	for failed := 0; ; {
		select {
		case <-beat.C:
		case <-ctx.Done():
			return
		}
		limited, cancel := context.WithTimeout(ctx, s.config.Lease/3)
		err := s.note(limited, &ledgerRecord{Stage: stageClaimed})
		cancel()
		if failed++; err == nil {
			failed = 0
		}
		if errors.Is(err, errClaimLost) || failed >= 2 {
			lost(errClaimLost)
			return
		}
	}
}
