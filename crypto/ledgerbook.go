package crypto

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
)

// ledgerBook is what the records of a ledger say, folded in the order of the log. It does no I/O and reads no clock: whoever folds the same records
// has the same book.
//
// Several processes write at once. A record counts only if its prev is the hash of the last one that counts: of records that were written side by
// side the first one does, and the others are void. Their writers see that when they read back, look at what is there now, and try again. So the
// records that count are one chain.
//
//	head is the hash of the last record that counts; heads has all that ever were
//	a record whose prev is in heads, but is not head, lost such a race; one whose prev is not in heads follows something that is not there
type ledgerBook struct {
	head     string
	heads    map[string]bool
	counted  int
	void     int
	erasures map[string]*Erasure
	order    []string              // ids, as requested
	bySubj   map[SubjectRef]string // the latest erasure
	byKey    map[string]string     // idempotency key -> erasure
	shares   map[string][]ShareSize
	exports  []ExportRecord
	rotation rotationBook
}

// ExportRecord says that a subject's data was exported.
type ExportRecord struct {
	ID        string
	Subject   SubjectRef
	Requester string
	Messages  int
	By        string
}

func newLedgerBook() *ledgerBook {
	return &ledgerBook{
		heads: map[string]bool{"": true}, erasures: map[string]*Erasure{}, bySubj: map[SubjectRef]string{}, byKey: map[string]string{},
		shares: map[string][]ShareSize{},
	}
}

// fold takes the next record of the log. It tells whether the record counts; the error is ErrLedgerBroken or ErrLedgerNewer, and then nothing
// more may be concluded from the ledger.
func (b *ledgerBook) fold(value []byte) (bool, error) {
	r, err := decodeLedgerRecord(value)
	if err != nil {
		return false, err
	}
	if !b.heads[r.Prev] {
		return false, fmt.Errorf("%w: record %d (%s) follows one that is not there", ErrLedgerBroken, b.counted+b.void, r.Kind)
	}
	hash := hashOf(value)
	if b.heads[hash] { // an append that was tried again although the first try had worked
		return false, nil
	}
	if r.Prev != b.head || !b.apply(r) {
		b.void++
		return false, nil
	}
	b.head, b.heads[hash] = hash, true
	b.counted++
	return true, nil
}

// apply does what the record says, unless it is not possible now.
func (b *ledgerBook) apply(r *ledgerRecord) bool {
	switch r.Kind {
	case kindRequested:
		return b.request(r)
	case kindReinstated:
		return b.reinstate(r)
	case kindExported:
		ref, err := ParseSubjectRef(r.Subject)
		b.exports = append(b.exports, ExportRecord{ID: r.Export, Subject: ref, Requester: r.Requester, Messages: r.Count, By: r.By})
		return err == nil
	case kindJoined:
		b.shares[r.Service] = r.Shares
		return r.Service != ""
	case kindRotation:
		return b.rotation.rotate(r)
	case kindLeft:
		_, there := b.shares[r.Service]
		delete(b.shares, r.Service)
		return there
	}
	e := b.erasures[r.Erasure]
	if e == nil {
		return false
	}
	if r.Kind == kindAcknowledged {
		return acknowledge(e, r)
	}
	return advance(e, r)
}

func (b *ledgerBook) request(r *ledgerRecord) bool {
	ref, err := ParseSubjectRef(r.Subject)
	if err != nil || r.Erasure == "" || b.erasures[r.Erasure] != nil || b.byKey[r.Key] != "" {
		return false
	}
	if before := b.erasures[b.bySubj[ref]]; before != nil && !before.Reinstated {
		return false
	}
	b.erasures[r.Erasure] = &Erasure{
		ID: r.Erasure, Key: r.Key, Subject: ref, Reason: r.Reason, Requester: r.Requester, State: ErasureRequested,
		Requested: r.Time, Changed: r.Time, Deadline: r.Deadline, Owed: r.Owed,
	}
	b.order = append(b.order, r.Erasure)
	b.bySubj[ref], b.byKey[r.Key] = r.Erasure, r.Erasure
	return true
}

// reinstate ends what the last erasure means for the future. It must be through with the past first.
func (b *ledgerBook) reinstate(r *ledgerRecord) bool {
	e := b.erasures[r.Erasure]
	if e == nil || e.Reinstated || e.State < ErasurePurged {
		return false
	}
	e.Reinstated = true
	return true
}

// advance moves an erasure to the next state; none is left out.
func advance(e *Erasure, r *ledgerRecord) bool {
	next := ErasureState(slices.Index(erasureStates, r.Kind))
	if next != e.State+1 || next == ErasurePurged && len(e.Missing()) > 0 {
		return false
	}
	if next == ErasureKeysDestroyed {
		receipt := Receipt{Subject: e.Subject, Life: r.Life, Erasure: e.ID, Time: r.Destroyed, Generations: r.Generations}
		for _, text := range r.Keys {
			var id KeyID
			if b, err := hex.DecodeString(text); err != nil || copy(id[:], b) != len(id) {
				return false
			}
			receipt.Keys = append(receipt.Keys, id)
		}
		e.Receipt = receipt
	}
	e.State, e.Changed = next, r.Time
	return true
}

// acknowledge notes duties that are done. One that is nobody's, or done already, is passed over; a record with nothing new is void.
func acknowledge(e *Erasure, r *ledgerRecord) bool {
	if e.State < ErasureKeysDestroyed {
		return false
	}
	fresh := false
	for _, d := range r.Owed {
		if slices.Contains(e.Owed, d) && !e.acknowledged(d) {
			e.Done = append(e.Done, Acknowledgement{Duty: d, Instance: r.By, Time: r.Time})
			fresh = true
		}
	}
	return fresh
}

// duties gives everything that the services which have joined will owe.
func (b *ledgerBook) duties() []Duty {
	var all []Duty
	for _, service := range slices.Sorted(maps.Keys(b.shares)) {
		for _, share := range b.shares[service] {
			for p := range share.Partitions {
				all = append(all, Duty{Service: service, Kind: share.Kind, Name: share.Name, Partition: p})
			}
		}
	}
	return all
}
