package crypto

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Ledger is the record of all erasures of a key space, shared by every process: who asked for what, what was destroyed, who has acknowledged it.
// It is the audit trail, and what a restored key store is brought up to date from; see [Replay]. Its methods may be called by any goroutine.
type Ledger struct {
	log LedgerLog
	by  string
	now func() time.Time

	mu   sync.Mutex // guards what follows; held while the log is read
	book *ledgerBook
	next int64
}

// OpenLedger reads the ledger. By names the service and the instance in what this process writes; now is its clock, nil means time.Now.
// [ErrLedgerBroken] and [ErrLedgerNewer] say that it must not be used.
func OpenLedger(ctx context.Context, log LedgerLog, by string, now func() time.Time) (*Ledger, error) {
	if now == nil {
		now = time.Now
	}
	l := &Ledger{log: log, by: by, now: now, book: newLedgerBook()}
	return l, l.Sync(ctx)
}

// Sync reads to the end of the log.
func (l *Ledger) Sync(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sync(ctx)
}

func (l *Ledger) sync(ctx context.Context) error {
	return l.log.Read(ctx, l.next, func(number int64, value []byte) error {
		if number < l.next {
			return nil
		}
		if _, err := l.book.fold(value); err != nil {
			return err
		}
		l.next = number + 1
		return nil
	})
}

// Changed gives a channel that is closed when somebody may have written to the ledger since it was last read.
func (l *Ledger) Changed() <-chan struct{} { return l.log.Changed() }

// append writes what draft gives for the book as it is then, and returns when it counts. Draft gives nil where there is nothing to write any more. It
// is called again when another process was faster.
func (l *Ledger) append(ctx context.Context, draft func(b *ledgerBook) (*ledgerRecord, error)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if err := l.sync(ctx); err != nil {
			return err
		}
		r, err := draft(l.book)
		if err != nil || r == nil {
			return err
		}
		r.Format, r.Prev, r.By = ledgerFormat, l.book.head, l.by
		r.Time = l.now().UTC().Truncate(time.Microsecond)
		value, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("erasure ledger: %w", err)
		}
		hash := hashOf(value)
		_, appending := l.log.Append(ctx, uuid.NewString(), value)
		if err := l.sync(ctx); err != nil {
			return errors.Join(appending, err)
		}
		if l.book.heads[hash] {
			return nil // also where the append was reported as failed
		}
		if appending != nil {
			return fmt.Errorf("erasure ledger: %w", appending)
		}
		if l.book.head == r.Prev { // nobody was faster: the book refuses it
			return fmt.Errorf("erasure ledger: a record of kind %s does not follow from what is there", r.Kind)
		}
	}
}

// Head is the hash of the last record that counts, and how many count. Kept elsewhere, it proves later that no record was taken away.
func (l *Ledger) Head() (hash string, records int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.book.head, l.book.counted
}

// Erasures gives all erasures in the order they were requested, as of the last read.
func (l *Ledger) Erasures() []Erasure {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]Erasure, 0, len(l.book.order))
	for _, id := range l.book.order {
		all = append(all, l.book.erasures[id].clone())
	}
	return all
}

// Erasure gives one, as of the last read.
func (l *Ledger) Erasure(id string) (Erasure, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.book.erasures[id]
	if e == nil {
		return Erasure{}, false
	}
	return e.clone(), true
}

// Subject gives the latest erasure of a subject, as of the last read.
func (l *Ledger) Subject(ref SubjectRef) (Erasure, bool) {
	l.mu.Lock()
	id := l.book.bySubj[ref]
	l.mu.Unlock()
	return l.Erasure(id)
}

// Exports gives what was exported, in order, as of the last read.
func (l *Ledger) Exports() []ExportRecord {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.book.exports)
}

// Join says what a service runs: from now on every new erasure expects its acknowledgements. It writes nothing when that is known already.
// A service whose last instance is gone for good is told with [Ledger.Leave].
func (l *Ledger) Join(ctx context.Context, service string, shares []ShareSize) error {
	return l.append(ctx, func(b *ledgerBook) (*ledgerRecord, error) {
		if before, there := b.shares[service]; there && slices.Equal(before, shares) || !there && len(shares) == 0 {
			return nil, nil //nolint:nilnil // nothing to write is an answer
		}
		return &ledgerRecord{Kind: kindJoined, Service: service, Shares: shares}, nil
	})
}

// Leave says that a service is gone for good and owes nothing to erasures that are requested from now on.
func (l *Ledger) Leave(ctx context.Context, service string) error {
	return l.append(ctx, func(b *ledgerBook) (*ledgerRecord, error) {
		if _, there := b.shares[service]; !there {
			return nil, nil //nolint:nilnil // likewise
		}
		return &ledgerRecord{Kind: kindLeft, Service: service}, nil
	})
}

// Acknowledge notes duties of an erasure that are done. It writes nothing when all of them are noted.
func (l *Ledger) Acknowledge(ctx context.Context, erasure string, done ...Duty) error {
	return l.append(ctx, func(b *ledgerBook) (*ledgerRecord, error) {
		e := b.erasures[erasure]
		if e == nil {
			return nil, fmt.Errorf("erasure ledger: there is no erasure %q", erasure)
		}
		left := slices.DeleteFunc(slices.Clone(done), func(d Duty) bool { return e.acknowledged(d) || !slices.Contains(e.Owed, d) })
		if len(left) == 0 {
			return nil, nil //nolint:nilnil // likewise
		}
		return &ledgerRecord{Kind: kindAcknowledged, Erasure: erasure, Owed: left}, nil
	})
}

// Exported notes an export, for the audit.
func (l *Ledger) Exported(ctx context.Context, e ExportRecord) error {
	return l.append(ctx, func(b *ledgerBook) (*ledgerRecord, error) {
		if slices.ContainsFunc(b.exports, func(x ExportRecord) bool { return x.ID == e.ID }) {
			return nil, nil //nolint:nilnil // likewise
		}
		if err := checkOpaque("the requester", e.Requester); err != nil {
			return nil, err
		}
		return &ledgerRecord{Kind: kindExported, Export: e.ID, Subject: subjectText(e.Subject), Requester: e.Requester, Count: e.Messages}, nil
	})
}
