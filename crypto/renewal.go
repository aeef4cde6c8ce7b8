package crypto

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// A data key is followed by a new version, which seals from then on, when it is RenewAge old or has sealed RenewMessages messages in all processes together.
// Nobody keeps that count. Each process draws, whenever it opens a key, after how many messages it renews the key: from the exponential distribution
// whose mean is a quarter of RenewMessages. That distribution has no memory, so what was drawn before, or elsewhere, or was lost with a process that ended,
// makes no difference: the messages that all processes seal with a key before one of them renews it are distributed likewise.
//
//	more than RenewMessages are sealed with one key in 2 % of the cases (e^-4), and four times as many in one of ten million (e^-16)
//
// Four times 2^30 is what a key of AES-GCM with random nonces may seal. A process renews at RenewMessages of its own in any case, and seals nothing any
// more at four times as many.
const (
	maxRenewMessages = 1 << 30
	renewMean        = 4
	renewPause       = time.Minute // between two tries
	renewExtra       = 1 << 16     // messages that are sealed meanwhile without asking again
)

// due tells whether a key that seals has to be followed by another.
func (r *keyring) due(s *subjectKeys, e *Entry) bool {
	if !e.Created.IsZero() && r.cfg.Now().Sub(e.Created) >= r.cfg.RenewAge {
		return true
	}
	k := s.find(&e.ID)
	return k != nil && (k.messages() >= k.drawn || k.before+k.messages() >= r.cfg.RenewMessages)
}

// renew gives the key to seal with in place of one that is due. Where that cannot be made now, the old one goes on sealing: nobody is kept from working by
// it, up to four times the limit.
func (r *keyring) renew(ctx context.Context, s *subjectKeys, old Entry) (Entry, error) {
	var err error
	if r.clock() >= s.calm.Load() {
		var held Entry
		if held, err = r.keks.renew(ctx, old); err == nil {
			r.stats.renewed.Add(1)
			return held, nil
		}
		if errors.Is(err, ErrShredded) {
			return Entry{}, err
		}
		s.calm.Store(r.clock() + int64(renewPause))
		if r.cfg.Logger != nil {
			r.cfg.Logger.WarnContext(ctx, "a data key that is due cannot be renewed; it goes on sealing, trying again in a minute",
				"subject_ref", fmt.Sprintf("%x", old.Subject[:]), "version", old.Version, "error", keyFault(err))
		}
	}
	if k := s.find(&old.ID); k != nil {
		if k.before+k.messages() >= renewMean*r.cfg.RenewMessages {
			return Entry{}, ErrKeyUnavailable
		}
		k.limit.Store(min(k.messages()+renewExtra, r.cfg.KeyMessages))
	}
	return old, nil
}

// allow says how many messages a key that was just opened seals; before is the same key as it was opened last, nil for none.
func (k *openKey) allow(cfg *Config, before *openKey) {
	k.drawn = int64(min(1+cfg.draw()*float64(cfg.RenewMessages)/renewMean, math.MaxInt64/2))
	left := cfg.RenewMessages
	if before != nil {
		k.before = before.before + before.messages()
		left = max(left-k.before, 1)
	}
	k.limit.Store(min(cfg.KeyMessages, k.drawn, left))
}

// messages gives how many were sealed with the key since it was opened, or a few more; in used are those, too, that were turned away.
func (k *openKey) messages() int64 { return min(int64(k.used.Load()>>40), k.limit.Load()) }

// renew makes the version after one of a subject's data key, and has the one before only open. Of several who do so at once one wins, and all get its key.
// Who dies in between leaves two that are active, of which the newer one seals.
func (k *keks) renew(ctx context.Context, old Entry) (Entry, error) {
	wrapping, err := k.current(ctx)
	if err != nil {
		return Entry{}, err
	}
	key, id, err := newKey()
	if err != nil {
		return Entry{}, err
	}
	defer clear(key)
	held, err := k.store.PutIfAbsent(ctx, Entry{
		Subject: old.Subject, ID: id, Version: old.Version + 1, State: EntryActive, Generation: wrapping.generation, Wrapped: wrapping.wrap(old.Subject, id, key),
		Created: k.now(),
	})
	if err == nil {
		held, err = k.settle(ctx, held, id, key, wrapping)
	}
	if err != nil {
		return Entry{}, err
	}
	old.State = EntryReadOnly
	if err := k.store.Replace(ctx, old); err != nil {
		return Entry{}, err
	}
	if held.State != EntryActive { // another has renewed it since
		return k.store.Active(ctx, old.Subject)
	}
	return held, nil
}
