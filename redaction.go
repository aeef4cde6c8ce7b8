package muster

// Access says how much of a payload was readable.
type Access uint8

// How much of a payload was readable.
const (
	// AccessOpen means that nothing is withheld.
	AccessOpen Access = iota
	// AccessPartial means that some sealed parts were opened and others were not; [Redaction].Denied tells why they were not.
	AccessPartial
	// AccessShredded means that no sealed part could be opened, because the keys are destroyed for good.
	AccessShredded
	// AccessDenied means that no sealed part could be opened, because this process has no right to the keys.
	AccessDenied
)

// Redaction tells what is absent from a payload that was read. The zero value means that nothing is.
type Redaction struct {
	Access Access
	Paths  []string // of the absent fields, as the payload's type names them; empty when the payload is absent as a whole

	// Denied says that some of what is absent is there for others: this process has no right to its keys. Else it is gone for good. It is always
	// set with AccessDenied.
	Denied bool
}

// Whole tells that the payload is absent as a whole: the value that was decoded is an empty one.
func (r Redaction) Whole() bool { return r.Access != AccessOpen && len(r.Paths) == 0 }

// denied tells that something is absent that is not gone for good.
func (r Redaction) denied() bool { return r.Denied || r.Access == AccessDenied }

// Revealer is a [Codec] that withholds parts of payloads, and tells which. Reveal decodes as Decode does.
type Revealer interface {
	Codec
	Reveal(place Place, data []byte, into any) (Redaction, error)
}
