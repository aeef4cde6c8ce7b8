package crypto

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
)

// Rewrapped says what [Rotation.Rewrap] did.
type Rewrapped struct {
	Generation uint32 // under which all live data keys are
	Live       int    // data keys that were looked at
	Wrapped    int    // of these, wrapped again now
	Destroyed  int    // of these, destroyed meanwhile
}

// keyPlace names a data key in a key store.
type keyPlace struct {
	subject SubjectRef
	id      KeyID
}

// keySlice is one of several equal parts of all key ids, which are spread evenly because each is the output of a pseudo-random function.
type keySlice struct{ number, of uint64 }

func (s keySlice) has(id KeyID) bool {
	return uint64(binary.BigEndian.Uint32(id[:]))*s.of>>32 == s.number
}

// Rewrap wraps all live data keys under the current generation, and then reads every one of them back: each has to open under that generation, to the key its
// id commits to, and none may be missing that was there before, save what was destroyed meanwhile. It does so slice by slice, see [RotationConfig]: memory does
// not grow with the number of keys. An interrupted one goes on where it was when it is called again.
func (r *Rotation) Rewrap(ctx context.Context) (Rewrapped, error) {
	current, _, err := r.Current(ctx)
	if err != nil || current == 0 {
		return Rewrapped{}, err
	}
	if err := r.retire(ctx, current); err != nil {
		return Rewrapped{}, err
	}
	done, keys := Rewrapped{Generation: current}, uint64(0)
	if err := r.scan(ctx, func(Entry) error { keys++; return nil }); err != nil {
		return done, err
	}
	slice := keySlice{of: max(1, (keys+uint64(r.config.Slice)-1)/uint64(r.config.Slice))}
	for ; slice.number < slice.of; slice.number++ {
		if err := r.rewrap(ctx, current, slice, &done); err != nil {
			return done, err
		}
	}
	r.config.Logger.InfoContext(ctx, "data keys are wrapped under the current generation", "generation", current, "live", done.Live, "wrapped", done.Wrapped, "destroyed", done.Destroyed)
	return done, nil
}

// rewrap wraps the keys of a slice and reads them back.
func (r *Rotation) rewrap(ctx context.Context, current uint32, slice keySlice, done *Rewrapped) error {
	before := map[keyPlace]bool{}
	wrapped, err := r.wrapAll(ctx, current, slice, before)
	if done.Wrapped += wrapped; err != nil {
		return err
	}
	done.Live += len(before)
	err = r.scan(ctx, func(e Entry) error {
		if !slice.has(e.ID) {
			return nil
		}
		if e.Generation < current {
			return fmt.Errorf("%w: a key of subject_ref %x is under generation %d", ErrGenerationInUse, e.Subject, e.Generation)
		}
		delete(before, keyPlace{e.Subject, e.ID})
		_, _, err := r.open(ctx, e)
		return err
	})
	if err != nil {
		return err
	}
	for place := range before {
		if _, err := r.config.Keys.Lookup(ctx, place.subject, place.id); !errors.Is(err, ErrShredded) {
			return fmt.Errorf("a key of subject_ref %x was there before the re-wrap and is not destroyed: %w", place.subject, errors.Join(ErrKeyMissing, err))
		}
		done.Destroyed++
	}
	return nil
}

// wrapAll wraps what is under an earlier generation in a slice, several at once, and notes all that live.
func (r *Rotation) wrapAll(ctx context.Context, current uint32, slice keySlice, live map[keyPlace]bool) (wrapped int, err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	work := make(chan Entry)
	var all sync.WaitGroup
	for range r.config.Beside {
		all.Go(func() {
			for e := range work {
				if err := r.wrap(ctx, e, current); err != nil && !errors.Is(err, ErrShredded) {
					stop(err)
				}
			}
		})
	}
	err = r.scan(ctx, func(e Entry) error {
		if !slice.has(e.ID) {
			return nil
		}
		live[keyPlace{e.Subject, e.ID}] = true
		if e.Generation >= current {
			return nil
		}
		select {
		case work <- e:
			wrapped++
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	close(work)
	all.Wait()
	if ctx.Err() != nil { // what has stopped it says more than what the scan made of that
		err = context.Cause(ctx)
	}
	return wrapped, err
}
