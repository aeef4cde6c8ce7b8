package crypto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-3eec0498/muster/internal/mutant"
)

// append writes a record about a subject and returns when the copy has it.
func (k *TopicKeys) append(ctx context.Context, subject SubjectRef, key, value []byte) error {
	partition := partitionOf(subject, k.log.Partitions())
	offset, err := k.log.Append(ctx, partition, key, value)
	if err != nil {
		return unavailable(err)
	}
	return k.reach(ctx, partition, offset+1)
}

// Active implements [KeyStore].
func (k *TopicKeys) Active(ctx context.Context, subject SubjectRef) (Entry, error) {
	r, err := k.recent(ctx, subject)
	if err != nil {
		return Entry{}, err
	}
	e, err := r.active()
	if errors.Is(err, ErrKeyMissing) { // said only of a topic that was read to its end
		if r, err = k.latest(ctx, subject); err == nil {
			e, err = r.active()
		}
	}
	return e, err
}

// Lookup implements [KeyStore].
func (k *TopicKeys) Lookup(ctx context.Context, subject SubjectRef, id KeyID) (Entry, error) {
	r, err := k.recent(ctx, subject)
	if err != nil {
		return Entry{}, err
	}
	e, err := r.lookup(id)
	if errors.Is(err, ErrKeyMissing) {
		if r, err = k.latest(ctx, subject); err == nil {
			e, err = r.lookup(id)
		}
	}
	return e, err
}

// PutIfAbsent implements [KeyStore].
func (k *TopicKeys) PutIfAbsent(ctx context.Context, e Entry) (Entry, error) {
	if err := e.validate(); err != nil {
		return Entry{}, err
	}
	r, err := k.latest(ctx, e.Subject)
	if err != nil {
		return Entry{}, err
	}
	if r.receipt(r.life) != nil {
		return Entry{}, ErrShredded
	}
	life := r.life
	held, there := r.holder(e.Version)
	if !there {
		fresh := e.newborn(life, time.Now())
		key := entryKey(e.Subject, e.ID)
		if err := k.append(ctx, e.Subject, key, heldKey{Entry: fresh, low: fresh.Generation, high: fresh.Generation}.record()); err != nil {
			return Entry{}, err
		}
		if r, err = k.known(e.Subject); err != nil {
			return Entry{}, err
		}
		if r.receipt(life) != nil {
			return Entry{}, errors.Join(ErrShredded, k.mend(ctx, e.Subject))
		}
		if held, there = r.holder(e.Version); !there {
			return Entry{}, unavailable(fmt.Errorf("%w: a new entry is not to be found", errKeyRecord))
		}
		switch {
		case held.ID != e.ID: // another candidate was first; nobody has used this one, and its record may be forgotten
			if err := k.append(ctx, e.Subject, key, nil); err != nil {
				k.logger.WarnContext(ctx, "a key that nobody uses stays in the key topic", "error", err)
			}
		case !bytes.Equal(held.Wrapped, e.Wrapped): // likewise, under the same id: compaction must not keep this one's record
			if err := k.mend(ctx, e.Subject); err != nil {
				k.logger.WarnContext(ctx, "a key that nobody uses stands last in the key topic; trying again", "error", err)
			}
		}
	}
	if held.State == EntryDestroyed {
		return Entry{}, ErrShredded
	}
	return held, nil
}

// Replace implements [KeyStore].
func (k *TopicKeys) Replace(ctx context.Context, e Entry) error {
	if err := e.validateNext(); err != nil {
		return err
	}
	r, err := k.latest(ctx, e.Subject)
	if err != nil {
		return err
	}
	held, err := r.lookup(e.ID)
	if err != nil {
		return err
	}
	if err := held.admits(e); err != nil {
		return err
	}
	next := r.entries[r.index(e.ID)] // with all that was known, so that compaction may forget the record before
	next.merge(heldKey{Entry: e, low: e.Generation, high: e.Generation})
	if err := k.append(ctx, e.Subject, entryKey(e.Subject, e.ID), next.record()); err != nil {
		return err
	}
	if r, err = k.known(e.Subject); err != nil {
		return err
	}
	if r.receipt(e.Life) != nil {
		return errors.Join(ErrShredded, k.mend(ctx, e.Subject))
	}
	return k.mend(ctx, e.Subject)
}

// Destroy implements [KeyStore].
func (k *TopicKeys) Destroy(ctx context.Context, subject SubjectRef, erasure string) (Receipt, error) {
	if err := checkErasure(erasure); err != nil {
		return Receipt{}, err
	}
	r, err := k.latest(ctx, subject)
	if err != nil {
		return Receipt{}, err
	}
	life := r.life
	if mutant.NullTombstone {
		return Receipt{Subject: subject, Life: life, Erasure: erasure}, k.append(ctx, subject, subject[:], nil)
	}
	marker, done := r.ending(erasure, time.Now().UTC().Truncate(time.Microsecond))
	if done != nil {
		life = done.Life
	} else if err := k.append(ctx, subject, subject[:], markerRecord(life, marker)); err != nil {
		return Receipt{}, err
	}
	if err := k.mend(ctx, subject); err != nil {
		return Receipt{}, err
	}
	if r, err = k.known(subject); err != nil {
		return Receipt{}, err
	}
	if end := r.receipt(life); end != nil {
		return end.copy(), nil
	}
	return Receipt{}, unavailable(fmt.Errorf("%w: a new marker is not to be found", errKeyRecord))
}

// Destroyed implements [KeyStore].
func (k *TopicKeys) Destroyed(ctx context.Context, subject SubjectRef) (Receipt, bool, error) {
	r, err := k.latest(ctx, subject)
	if err != nil {
		return Receipt{}, false, err
	}
	receipt, is := r.destroyed()
	return receipt, is, nil
}

// Reinstate implements [KeyStore].
func (k *TopicKeys) Reinstate(ctx context.Context, subject SubjectRef, life uint32) (uint32, error) {
	r, err := k.latest(ctx, subject)
	if err != nil {
		return 0, err
	}
	if !r.precedes(life) {
		return r.life, nil
	}
	if err := k.append(ctx, subject, subject[:], markerRecord(life, r.receipts())); err != nil {
		return 0, err
	}
	return life, k.mend(ctx, subject)
}

// Watch implements [KeyStore].
func (k *TopicKeys) Watch(ctx context.Context, ready func(), f func(KeyChange)) error {
	w := k.watchers.join()
	defer k.watchers.leave(w)
	if err := k.sync(ctx); err != nil {
		return err
	}
	w.forget()
	return watchRows(ctx, f, func(ctx context.Context, tell func([]byte, int64)) error {
		ready()
		return w.run(ctx, tell)
	})
}

// Scan implements [KeyStore].
func (k *TopicKeys) Scan(ctx context.Context, f func(Entry) error) error {
	if err := k.sync(ctx); err != nil {
		return err
	}
	k.mu.Lock()
	damaged := len(k.damaged)
	k.mu.Unlock()
	if damaged > 0 {
		return unavailable(fmt.Errorf("%w: %d subjects", errKeyRecord, damaged))
	}
	return scanRows(f, k.copy.Scan)
}

// mend overwrites what says something else than what holds about a subject, until nothing does.
func (k *TopicKeys) mend(ctx context.Context, subject SubjectRef) error {
	for {
		r, err := k.known(subject)
		if err != nil {
			return err
		}
		records := r.mending()
		if len(records) == 0 {
			k.mu.Lock()
			delete(k.stale, subject)
			k.mu.Unlock()
			return nil
		}
		for _, record := range records {
			if err := k.append(ctx, subject, record.key, record.value); err != nil {
				return err
			}
		}
	}
}
