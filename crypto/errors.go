package crypto

import (
	"fmt"

	"github.com/seed-3eec0498/muster"
)

// Fault is an error of this package. Its text is constant: it holds no plaintext, no key and no answer of a KMS.
type Fault struct {
	text  string
	class muster.PayloadFault
}

// Error implements error.
func (f *Fault) Error() string { return f.text }

// Fault tells the engine what to do; see [muster.PayloadFaultOf].
func (f *Fault) Fault() muster.PayloadFault { return f.class }

// The errors of keys and sealed payloads. Each means one thing only: above all, a key that is destroyed is never confused with one that cannot
// be had now, because a read model would be redacted for good by an outage.
var (
	// ErrShredded means that the subject's keys are destroyed; final. Nothing is sealed for it any more.
	ErrShredded = &Fault{"the subject's keys are destroyed", muster.FaultErased}
	// ErrKeyUnavailable means that key store or KMS cannot be reached, or that this process does not know what was destroyed lately.
	ErrKeyUnavailable = &Fault{"the key cannot be had now; it is asked for again", muster.FaultUnavailable}
	// ErrKeyMissing means that the key store, read to its end, knows neither the key nor its destruction.
	ErrKeyMissing = &Fault{"no such key, and no mark that it was destroyed; is this the right key store, and is it complete?", muster.FaultMissing}
	// ErrTampered means that the sealed bytes, or the place they are found in, are not what was sealed.
	ErrTampered = &Fault{"sealed data does not belong here or was changed", muster.FaultTampered}
	// ErrUnknownFormat means a version, suite, flag or purpose that this build does not know.
	ErrUnknownFormat = &Fault{"sealed data has an unknown format; is this build older than the writer?", muster.FaultFormat}
	// ErrNoAccess means that this process has no right to the key.
	ErrNoAccess = &Fault{"no right to the key", muster.FaultNoAccess}
)

// fault is an error about a declaration or a value that cannot be sealed as declared. Its text names types and fields, never values.
func fault(format string, args ...any) error { return fmt.Errorf("crypto: "+format, args...) }
