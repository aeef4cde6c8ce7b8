package crypto

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/seed-3eec0498/muster"
)

// EraserConfig is what an [Eraser] needs. Ledger and Keys must be set.
type EraserConfig struct {
	Ledger *Ledger
	Keys   KeyStore
	// Ticks makes the key store forget the overwritten bytes of destroyed keys sooner, such as by rolling the segments of its topic. It is called after
	// a destruction, at least once. Nil: the store needs none.
	Ticks func(ctx context.Context) error
	// Gone tells whether every one of these generations of key-encryption keys is destroyed. Nil: nobody knows, so no erasure becomes
	// [ErasureUnrecoverable] but of a subject that never had a key.
	Gone func(ctx context.Context, generations []uint32) (bool, error)
	// Patience is how long after a request its acknowledgements may be missing before that is an alert. Zero means 24 hours.
	Patience time.Duration
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Failpoint is called at named points; crash tests end there. Nil in production.
	Failpoint func(name string)
}

// Eraser carries erasures out: it takes each from state to state as the ledger, the key store and the acknowledgements allow. Any number of processes
// may do so at once, and one that dies at any point leaves nothing that another cannot go on with: everything it does is idempotent, and a state
// counts once it is on the ledger.
type Eraser struct{ config EraserConfig }

// NewEraser makes one.
func NewEraser(c EraserConfig) *Eraser {
	if c.Patience == 0 {
		c.Patience = 24 * time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Failpoint == nil {
		c.Failpoint = func(string) {}
	}
	return &Eraser{config: c}
}

// ErasureRequest asks for an erasure. Key, Reason and Requester have 1 to 128 letters, digits, dots, dashes, underscores, colons or slashes, since
// they stay on the ledger for ever: no names, no addresses.
type ErasureRequest struct {
	Subject   SubjectRef
	Key       string // idempotency key: the same request with the same key is one erasure. Empty: one is made
	Reason    string // a word, such as gdpr-17
	Requester string // an opaque id of whoever asks
}

// Request puts an erasure on the ledger. It is there for good when this returns, and nothing is destroyed yet: see [Eraser.Advance]. A subject that
// is being erased, or was, gives that erasure. InvalidArgument: a text that may not stand there, or a key that was used for another subject.
func (e *Eraser) Request(ctx context.Context, r ErasureRequest) (Erasure, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Erasure{}, fmt.Errorf("an id for the erasure: %w", err)
	}
	if r.Key == "" {
		r.Key = id.String()
	}
	for _, t := range []struct{ what, text string }{{"the key", r.Key}, {"the reason", r.Reason}, {"the requester", r.Requester}} {
		if err := checkOpaque(t.what, t.text); err != nil {
			return Erasure{}, muster.Errorf(muster.InvalidArgument, "%v", err)
		}
	}
	found := ""
	err = e.config.Ledger.append(ctx, func(b *ledgerBook) (*ledgerRecord, error) {
		before := b.erasures[b.byKey[r.Key]]
		if before != nil && before.Subject != r.Subject {
			return nil, muster.Errorf(muster.InvalidArgument, "erasure ledger: key %q was used for another subject; a repeat names the same one", r.Key)
		}
		if before == nil {
			before = b.erasures[b.bySubj[r.Subject]]
		}
		if before != nil && (!before.Reinstated || before.Key == r.Key) {
			found = before.ID
			return nil, nil //nolint:nilnil // nothing to write is an answer
		}
		found = id.String()
		return &ledgerRecord{
			Kind: kindRequested, Erasure: found, Subject: subjectText(r.Subject), Key: r.Key, Reason: r.Reason, Requester: r.Requester,
			Deadline: e.config.Now().Add(e.config.Patience).UTC().Truncate(time.Microsecond), Owed: b.duties(),
		}, nil
	})
	if err != nil {
		return Erasure{}, err
	}
	got, _ := e.config.Ledger.Erasure(found)
	return got, nil
}

// Advance takes every erasure as far as it can go now. An error of one does not keep the others; all are joined. What is not done is done by the
// next Advance, of whatever process.
func (e *Eraser) Advance(ctx context.Context) error {
	if err := e.config.Ledger.Sync(ctx); err != nil {
		return err
	}
	var faults []error
	unborn := map[SubjectRef]bool{} // subjects whose new life is not there yet: a later erasure is to end that one, not the one before
	for _, one := range e.config.Ledger.Erasures() {
		if err := e.revive(ctx, &one); err != nil {
			faults, unborn[one.Subject] = append(faults, err), true
		}
		if unborn[one.Subject] {
			continue
		}
		for moved := true; moved && ctx.Err() == nil; {
			var err error
			if moved, err = e.step(ctx, one.ID); err != nil {
				faults = append(faults, fmt.Errorf("erasure %s: %w", one.ID, err))
				break
			}
		}
	}
	return errors.Join(append(faults, ctx.Err())...)
}

// step does what the state of an erasure asks for and notes the next state. It tells whether there may be more to do at once.
func (e *Eraser) step(ctx context.Context, id string) (bool, error) {
	one, there := e.config.Ledger.Erasure(id)
	if !there {
		return false, nil
	}
	r := &ledgerRecord{Erasure: id}
	ready, err := false, error(nil)
	switch one.State {
	case ErasureRequested:
		ready, err = true, e.destroy(ctx, &one, r)
	case ErasureKeysDestroyed:
		r.Kind, ready = kindPropagating, true
		if e.config.Ticks != nil {
			err = e.config.Ticks(ctx)
		}
	case ErasurePropagating:
		r.Kind = kindPurged
		if len(one.Missing()) == 0 {
			ready, err = e.clean(ctx, &one)
		}
	case ErasurePurged:
		r.Kind = kindUnrecoverable
		ready, err = e.gone(ctx, &one)
	case ErasureUnrecoverable:
	}
	if err != nil || !ready {
		return false, err
	}
	e.config.Failpoint("erasure-" + r.Kind + "-done")
	err = e.config.Ledger.append(ctx, func(b *ledgerBook) (*ledgerRecord, error) {
		if b.erasures[id].State != one.State { // another process was faster
			return nil, nil //nolint:nilnil // likewise
		}
		fresh := *r
		return &fresh, nil
	})
	if err == nil {
		e.config.Failpoint("erasure-" + r.Kind)
	}
	return err == nil, err
}

func (e *Eraser) destroy(ctx context.Context, one *Erasure, r *ledgerRecord) error {
	receipt, err := e.config.Keys.Destroy(ctx, one.Subject, one.ID)
	if err != nil {
		return err
	}
	r.Kind, r.Life, r.Destroyed, r.Generations = kindKeysDestroyed, receipt.Life, receipt.Time.UTC(), receipt.Generations
	for _, id := range receipt.Keys {
		r.Keys = append(r.Keys, hex.EncodeToString(id[:]))
	}
	return nil
}

// clean tells whether no bytes of the keys that were destroyed are in the store any more. What a racing writer has put back is overwritten.
func (e *Eraser) clean(ctx context.Context, one *Erasure) (bool, error) {
	left := 0
	err := e.config.Keys.Scan(ctx, func(entry Entry) error {
		if entry.Subject == one.Subject && len(entry.Wrapped) > 0 {
			left++
		}
		return nil
	})
	if err != nil || left == 0 {
		return err == nil, err
	}
	_, err = e.config.Keys.Destroy(ctx, one.Subject, one.ID)
	return false, err
}

// gone tells whether all generations are destroyed that ever wrapped one of the keys. The key store may know of more than the ledger: what came after the
// destruction, such as a re-wrap that was under way, is overwritten, and may have been copied before.
func (e *Eraser) gone(ctx context.Context, one *Erasure) (bool, error) {
	if is, err := e.destroyed(ctx, one.Receipt.Generations); err != nil || !is {
		return false, err
	}
	now, err := e.config.Keys.Destroy(ctx, one.Subject, one.ID) // gives the receipt
	if err != nil {
		return false, err
	}
	return e.destroyed(ctx, now.Generations)
}

func (e *Eraser) destroyed(ctx context.Context, generations []uint32) (bool, error) {
	if len(generations) == 0 {
		return true, nil // there never was a key
	}
	if e.config.Gone == nil {
		return false, nil
	}
	return e.config.Gone(ctx, generations)
}

// Overdue gives the erasures whose acknowledgements are missing past their deadline, as of the last read of the ledger.
func (e *Eraser) Overdue() []Erasure {
	now := e.config.Now()
	var late []Erasure
	for _, one := range e.config.Ledger.Erasures() {
		if one.Overdue(now) {
			late = append(late, one)
		}
	}
	return late
}
