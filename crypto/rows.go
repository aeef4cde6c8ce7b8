package crypto

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Rows is what [KeysIn] needs of a database: one row of bytes for each subject, changed by one writer at a time. All methods may be called at once.
// An error of the database is read as [ErrKeyUnavailable], save one that is [ErrNoAccess].
type Rows interface {
	// Get gives the row of a subject as it was when Get was called or later; nil when there is none.
	Get(ctx context.Context, subject SubjectRef) ([]byte, error)
	// Update replaces the row of a subject by what f makes of it, all or nothing, and is durable when it returns. Nobody changes the row between what f
	// is given and what f gives. f may be called again; place grows with every change of that subject, and is not 0. When f gives nil, or an
	// error, nothing changes; its error is given back.
	Update(ctx context.Context, subject SubjectRef, f func(row []byte, place int64) ([]byte, error)) error
	// Watch calls f with each row that changes from ready on, until ctx ends or something may have been missed. The row may be newer than the change that is
	// told; since is a place before that change.
	Watch(ctx context.Context, ready func(), f func(row []byte, since int64)) error
	// Scan calls f with every row that was there at the call, in any order, until f gives an error, and gives that.
	Scan(ctx context.Context, f func(row []byte) error) error
}

// KeysIn gives a key store that keeps its entries in rows.
func KeysIn(rows Rows) KeyStore { return &rowKeys{rows: rows, now: time.Now} }

type rowKeys struct {
	rows Rows
	now  func() time.Time
}

func (k *rowKeys) row(ctx context.Context, subject SubjectRef) (*keyRow, error) {
	b, err := k.rows.Get(ctx, subject)
	if err != nil {
		return nil, unavailable(err)
	}
	return rowOf(subject, b)
}

func rowOf(subject SubjectRef, b []byte) (*keyRow, error) {
	if b == nil {
		return &keyRow{subject: subject}, nil
	}
	r, err := decodeRow(b)
	if err == nil && r.subject != subject {
		err = errRow
	}
	if err != nil {
		return nil, unavailable(err)
	}
	return r, nil
}

// change has f change the row of a subject; f tells whether it did.
func (k *rowKeys) change(ctx context.Context, subject SubjectRef, f func(r *keyRow, place int64) (bool, error)) error {
	err := k.rows.Update(ctx, subject, func(b []byte, place int64) ([]byte, error) {
		r, err := rowOf(subject, b)
		if err != nil {
			return nil, err
		}
		changed, err := f(r, place)
		if err != nil || !changed {
			return nil, err
		}
		return r.encode(), nil
	})
	return unavailable(err)
}

// Active implements [KeyStore].
func (k *rowKeys) Active(ctx context.Context, subject SubjectRef) (Entry, error) {
	r, err := k.row(ctx, subject)
	if err != nil {
		return Entry{}, err
	}
	return r.active()
}

// Lookup implements [KeyStore].
func (k *rowKeys) Lookup(ctx context.Context, subject SubjectRef, id KeyID) (Entry, error) {
	r, err := k.row(ctx, subject)
	if err != nil {
		return Entry{}, err
	}
	return r.lookup(id)
}

// PutIfAbsent implements [KeyStore].
func (k *rowKeys) PutIfAbsent(ctx context.Context, e Entry) (winner Entry, err error) {
	if err := e.validate(); err != nil {
		return Entry{}, err
	}
	err = k.change(ctx, e.Subject, func(r *keyRow, place int64) (bool, error) {
		if r.receipt(r.life) != nil {
			return false, ErrShredded
		}
		held, there := r.holder(e.Version)
		if !there {
			r.takeEntry(e.newborn(r.life, k.now()), place)
			held, _ = r.holder(e.Version)
		}
		winner = held
		return !there, nil
	})
	if err == nil && winner.State == EntryDestroyed {
		err = ErrShredded
	}
	if err != nil {
		return Entry{}, err
	}
	return winner, nil
}

// Replace implements [KeyStore].
func (k *rowKeys) Replace(ctx context.Context, e Entry) error {
	if err := e.validateNext(); err != nil {
		return err
	}
	return k.change(ctx, e.Subject, func(r *keyRow, place int64) (bool, error) {
		held, err := r.lookup(e.ID)
		if err != nil {
			return false, err
		}
		if err := held.admits(e); err != nil {
			return false, err
		}
		r.takeEntry(e, place)
		return true, nil
	})
}

// Destroy implements [KeyStore].
func (k *rowKeys) Destroy(ctx context.Context, subject SubjectRef, erasure string) (receipt Receipt, err error) {
	if err := checkErasure(erasure); err != nil {
		return Receipt{}, err
	}
	err = k.change(ctx, subject, func(r *keyRow, place int64) (bool, error) {
		marker, done := r.ending(erasure, k.now().UTC().Truncate(time.Microsecond))
		if done != nil {
			receipt = *done
			return false, nil
		}
		r.takeMarker(r.life, marker, place)
		receipt, _ = r.destroyed()
		return true, nil
	})
	return receipt, err
}

// Destroyed implements [KeyStore].
func (k *rowKeys) Destroyed(ctx context.Context, subject SubjectRef) (Receipt, bool, error) {
	r, err := k.row(ctx, subject)
	if err != nil {
		return Receipt{}, false, err
	}
	receipt, is := r.destroyed()
	return receipt, is, nil
}

// Reinstate implements [KeyStore].
func (k *rowKeys) Reinstate(ctx context.Context, subject SubjectRef, life uint32) (current uint32, err error) {
	err = k.change(ctx, subject, func(r *keyRow, place int64) (bool, error) {
		opens := r.precedes(life)
		if opens {
			r.takeMarker(life, r.receipts(), place)
		}
		current = r.life
		return opens, nil
	})
	return current, err
}

// Watch implements [KeyStore].
func (k *rowKeys) Watch(ctx context.Context, ready func(), f func(KeyChange)) error {
	return watchRows(ctx, f, func(ctx context.Context, tell func([]byte, int64)) error { return k.rows.Watch(ctx, ready, tell) })
}

// watchRows turns rows that have changed into changes.
func watchRows(ctx context.Context, f func(KeyChange), watch func(context.Context, func(row []byte, since int64)) error) error {
	damaged := error(nil)
	ctx, cut := context.WithCancel(ctx)
	defer cut()
	err := watch(ctx, func(b []byte, since int64) {
		r, err := decodeRow(b)
		if err != nil {
			damaged = err
			cut()
			return
		}
		for _, c := range r.changes(since) {
			f(c)
		}
	})
	return unavailable(errors.Join(damaged, err))
}

// Scan implements [KeyStore].
func (k *rowKeys) Scan(ctx context.Context, f func(Entry) error) error {
	return scanRows(f, func(each func([]byte) error) error { return k.rows.Scan(ctx, each) })
}

// scanRows turns rows into entries.
func scanRows(f func(Entry) error, scan func(func(row []byte) error) error) error {
	var own error
	err := scan(func(b []byte) error {
		r, err := decodeRow(b)
		if err != nil {
			return err
		}
		own = r.scan(f)
		return own
	})
	if own != nil {
		return own
	}
	return unavailable(err)
}

func (r *keyRow) scan(f func(Entry) error) error {
	for i := range r.entries {
		if err := f(r.entries[i].entry()); err != nil {
			return err
		}
	}
	return nil
}

// unavailable keeps errors that say what they mean, and reads any other as one of the store that passes.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	for _, known := range []error{ErrShredded, ErrKeyMissing, ErrKeyUnavailable, ErrNoAccess, errInput} {
		if errors.Is(err, known) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", ErrKeyUnavailable, err)
}
