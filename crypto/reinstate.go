package crypto

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-3eec0498/muster"
)

// Reinstate begins a new life of a subject that was erased: from then on data is sealed under new keys, and what was erased stays erased. Reason and
// requester are as in [ErasureRequest]. FailedPrecondition: the subject is not erased, or its erasure is not purged yet. When it returns an error
// of the key store the wish stands, and an [Eraser.Advance] carries it out.
func (e *Eraser) Reinstate(ctx context.Context, subject SubjectRef, reason, requester string) error {
	for _, t := range []struct{ what, text string }{{"the reason", reason}, {"the requester", requester}} {
		if err := checkOpaque(t.what, t.text); err != nil {
			return muster.Errorf(muster.InvalidArgument, "%v", err)
		}
	}
	var one Erasure
	err := e.config.Ledger.append(ctx, func(b *ledgerBook) (*ledgerRecord, error) {
		found := b.erasures[b.bySubj[subject]]
		switch {
		case found == nil:
			return nil, muster.Errorf(muster.FailedPrecondition, "subject %s was never erased, so there is nothing to reinstate", subjectText(subject))
		case found.State < ErasurePurged:
			return nil, muster.Errorf(muster.FailedPrecondition, "subject %s is being erased (%s); reinstate it when that is done", subjectText(subject), found.State)
		}
		if one = found.clone(); one.Reinstated {
			return nil, nil //nolint:nilnil // a repeat
		}
		one.Reinstated = true
		return &ledgerRecord{
			Kind: kindReinstated, Erasure: found.ID, Subject: subjectText(subject), Life: found.Receipt.Life + 1, Reason: reason, Requester: requester,
		}, nil
	})
	if err != nil {
		return err
	}
	e.config.Failpoint("erasure-reinstated")
	return e.revive(ctx, &one)
}

// revive opens the new life in the key store, where the ledger says that there is one and the store does not.
func (e *Eraser) revive(ctx context.Context, one *Erasure) error {
	if !one.Reinstated {
		return nil
	}
	return reviveIn(ctx, e.config.Keys, one)
}

func reviveIn(ctx context.Context, keys KeyStore, one *Erasure) error {
	receipt, destroyed, err := keys.Destroyed(ctx, one.Subject)
	if err != nil || !destroyed || receipt.Life > one.Receipt.Life { // a later erasure has ended the new life, too
		return err
	}
	_, err = keys.Reinstate(ctx, one.Subject, receipt.Life+1) // and no other: another process may have done so, and that life may have ended, too
	return err
}

// Drill says what a [Replay] found.
type Drill struct {
	Erasures  int // on the ledger, with keys that have to be gone
	Destroyed int // whose keys were there again, as in a restored backup, and are destroyed now
}

// Replay brings a key store up to the ledger: what the ledger says is destroyed is destroyed there, too. It must have returned before a key store
// that was restored from a backup serves anybody, and does no harm to one that was not: every process calls it when it opens its key store. An
// error means that the store must not serve. Who has no right to read the store replays nothing, see [NoKeys].
func Replay(ctx context.Context, ledger *Ledger, keys KeyStore) (Drill, error) {
	var drill Drill
	if err := ledger.Sync(ctx); err != nil {
		return drill, err
	}
	for _, one := range ledger.Erasures() {
		if one.State < ErasureKeysDestroyed {
			continue // the next Advance does it
		}
		drill.Erasures++
		again, err := lives(ctx, keys, &one)
		if errors.Is(err, ErrNoAccess) {
			return drill, nil // who may not read the store opens nothing with it, whatever came back
		}
		if err == nil && again {
			drill.Destroyed++
			_, err = keys.Destroy(ctx, one.Subject, one.ID)
		}
		if err == nil && one.Reinstated {
			err = reviveIn(ctx, keys, &one)
		}
		if err != nil {
			return drill, fmt.Errorf("erasure %s is not in the key store, which must not serve: %w", one.ID, err)
		}
	}
	return drill, nil
}

// lives tells whether the store does not know of an erasure.
func lives(ctx context.Context, keys KeyStore, one *Erasure) (bool, error) {
	receipt, destroyed, err := keys.Destroyed(ctx, one.Subject)
	if err != nil || destroyed {
		return err == nil && receipt.Life < one.Receipt.Life, err
	}
	active, err := keys.Active(ctx, one.Subject)
	switch {
	case errors.Is(err, ErrKeyMissing) && one.Reinstated && len(one.Receipt.Keys) > 0:
		// The new life has no key yet, or this is a backup from before the old one had: a store that knows of the erasure knows its keys.
		_, err := keys.Lookup(ctx, one.Subject, one.Receipt.Keys[0])
		if errors.Is(err, ErrKeyMissing) {
			return true, nil
		}
		if errors.Is(err, ErrShredded) {
			err = nil
		}
		return false, err
	case errors.Is(err, ErrKeyMissing):
		return true, nil
	case err != nil:
		return false, err
	}
	return active.Life <= one.Receipt.Life, nil
}
