package crypto

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// A record of the erasure ledger is one JSON object. Its hash is SHA-256 over its bytes as they lie in the log, so no canonical form is needed;
// "prev" is the hash of the record before it, and so on back to the first, whose prev is empty. Its key in the log is a UUID of its own, so that
// no compaction takes one record for a newer form of another, or a second append of the same bytes for the first.
//
//	format   1
//	kind     requested | keys-destroyed | propagating | acknowledged | purged | unrecoverable | reinstated | exported | joined | left | rotation
//	prev     hash of the record before, 64 hex digits
//	time     of the writer's clock, UTC
//	by       service/instance that wrote it
//	erasure  its id; not in exported, joined, left, rotation
//	subject  subject_ref, 32 hex digits: in requested, reinstated, exported
//
// What else each kind has stands at the fields below. No field holds personal data: a requester is an opaque id, a reason is a word.
type ledgerRecord struct {
	Format  int       `json:"format"`
	Kind    string    `json:"kind"`
	Prev    string    `json:"prev"`
	Time    time.Time `json:"time"`
	By      string    `json:"by"`
	Erasure string    `json:"erasure,omitempty"`
	Subject string    `json:"subject,omitempty"`

	Key       string    `json:"key,omitempty"`       // requested: idempotency key
	Reason    string    `json:"reason,omitempty"`    // requested, reinstated
	Requester string    `json:"requester,omitempty"` // requested, reinstated, exported
	Deadline  time.Time `json:"deadline,omitzero"`   // requested
	Owed      []Duty    `json:"owed,omitempty"`      // requested: all duties; acknowledged: those that are done

	Keys        []string  `json:"keys,omitempty"`        // keys-destroyed: key ids, hex
	Generations []uint32  `json:"generations,omitempty"` // keys-destroyed
	Life        uint32    `json:"life,omitempty"`        // keys-destroyed: the life that ended; reinstated: the one that begins
	Destroyed   time.Time `json:"destroyed,omitzero"`    // keys-destroyed: by the key store's marker

	Service string      `json:"service,omitempty"` // joined, left
	Shares  []ShareSize `json:"shares,omitempty"`  // joined: what the service runs
	Export  string      `json:"export,omitempty"`  // exported: id of the export
	Count   int         `json:"count,omitempty"`   // exported: messages; rotation wrapped: keys that are under the generation

	Stage      string `json:"stage,omitempty"`      // rotation: claimed | begun | wrapped | destroyed | released
	Generation uint32 `json:"generation,omitempty"` // rotation, but claimed: the one it is about
	Wrapped    int    `json:"wrapped,omitempty"`    // rotation wrapped: keys that were wrapped for it
}

// ShareSize is a group or a projection that a service runs, with its partitions.
type ShareSize struct {
	Kind       DutyKind `json:"kind"`
	Name       string   `json:"name"`
	Partitions int32    `json:"partitions"`
}

const (
	ledgerFormat = 1

	kindRequested     = "requested"
	kindKeysDestroyed = "keys-destroyed"
	kindPropagating   = "propagating"
	kindAcknowledged  = "acknowledged"
	kindPurged        = "purged"
	kindUnrecoverable = "unrecoverable"
	kindReinstated    = "reinstated"
	kindExported      = "exported"
	kindJoined        = "joined"
	kindLeft          = "left"
	kindRotation      = "rotation"

	stageClaimed   = "claimed"
	stageBegun     = "begun"
	stageWrapped   = "wrapped"
	stageDestroyed = "destroyed"
	stageReleased  = "released"
)

// Errors of the ledger.
var (
	// ErrLedgerBroken means that a record of the ledger follows one that is not there: records were lost, changed or mixed with another ledger's.
	// Restore the ledger before anything is erased or a restored key store serves.
	ErrLedgerBroken = errors.New("erasure ledger: the chain of records is broken")
	// ErrLedgerNewer means that a newer build has written to the ledger.
	ErrLedgerNewer = errors.New("erasure ledger: written by a newer build; upgrade this one")
)

func hashOf(record []byte) string {
	sum := sha256.Sum256(record)
	return hex.EncodeToString(sum[:])
}

func decodeLedgerRecord(value []byte) (*ledgerRecord, error) {
	r := &ledgerRecord{}
	if err := json.Unmarshal(value, r); err != nil {
		return nil, fmt.Errorf("%w: a record is not JSON", ErrLedgerBroken)
	}
	switch r.Kind {
	case kindRequested, kindKeysDestroyed, kindPropagating, kindAcknowledged, kindPurged, kindUnrecoverable, kindReinstated, kindExported, kindJoined, kindLeft, kindRotation:
	default:
		return nil, fmt.Errorf("%w: a record of kind %q", ErrLedgerNewer, r.Kind)
	}
	if r.Format != ledgerFormat {
		return nil, fmt.Errorf("%w: a record of format %d, this build knows %d", ErrLedgerNewer, r.Format, ledgerFormat)
	}
	return r, nil
}

func subjectText(s SubjectRef) string { return hex.EncodeToString(s[:]) }

// ParseSubjectRef reads the form that logs and the ledger show: 32 hex digits.
func ParseSubjectRef(text string) (SubjectRef, error) {
	var ref SubjectRef
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(ref) {
		return ref, errors.New("a subject_ref is 32 hex digits")
	}
	copy(ref[:], b)
	return ref, nil
}

// opaque is what requesters, reasons and idempotency keys may look like: never an address or a name with blanks in it.
var opaque = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._:/-]{0,127}$`)

// checkOpaque says why a text may not stand on the ledger, which is kept for ever.
func checkOpaque(what, text string) error {
	if opaque.MatchString(text) {
		return nil
	}
	return fmt.Errorf("erasure ledger: %s is not 1 to 128 letters, digits, dots, dashes, underscores, colons or slashes; the ledger is kept for ever, so use an opaque id and no name or address", what)
}
