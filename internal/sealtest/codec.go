// Package sealtest has a codec that seals, with switches for everything that can go wrong. It is for tests of those who work around a codec: what it
// makes is no encryption.
package sealtest

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"

	"github.com/seed-3eec0498/muster"
)

// Fault is an error of the codec, of one class.
type Fault muster.PayloadFault

// Error gives the class.
func (f Fault) Error() string { return "sealtest: " + muster.PayloadFault(f).Reason() }

// Fault gives the class.
func (f Fault) Fault() muster.PayloadFault { return muster.PayloadFault(f) }

// Codec seals the personal fields of JSON values for the subject that their aggregate id names, around [muster.PlainCodec]. A type of whose fields
// none is named in Fields is left as it is; with "*" it is sealed as a whole. Dead letters are sealed as a whole.
type Codec struct {
	muster.PlainCodec

	// Fields has the names of the personal JSON fields by Go type, as %T prints it.
	Fields map[string][]string
	// Unbound leaves out what binds a payload to its place, for events that a test puts together.
	Unbound bool

	mu     sync.Mutex                     // guards what follows
	faults map[string]muster.PayloadFault // by subject; "" for all
	once   map[muster.Purpose]muster.PayloadFault
	sealed int
	opened int
	types  []reflect.Type
}

// Fail lets everything that belongs to a subject fail so, to everyone with "". FaultErased and FaultNoAccess withhold fields when they are read.
func (c *Codec) Fail(subject string, f muster.PayloadFault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.faults == nil {
		c.faults = map[string]muster.PayloadFault{}
	}
	c.faults[subject] = f
}

// Mend takes back what Fail did.
func (c *Codec) Mend(subject string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.faults, subject)
}

// FailOnce lets the next payload of a purpose that is read fail so.
func (c *Codec) FailOnce(purpose muster.Purpose, f muster.PayloadFault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.once = map[muster.Purpose]muster.PayloadFault{purpose: f}
}

func (c *Codec) failsOnce(purpose muster.Purpose) (f muster.PayloadFault, fails bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, fails = c.once[purpose]
	delete(c.once, purpose)
	return f, fails
}

// Counts tells how many payloads were sealed and opened.
func (c *Codec) Counts() (sealed, opened int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sealed, c.opened
}

func (c *Codec) fault(subject string) (muster.PayloadFault, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range []string{subject, ""} {
		if f, fails := c.faults[s]; fails {
			return f, true
		}
	}
	return 0, false
}

// envelope follows [muster.SealedMark]. Whole says that Blob is all of the payload, else it is a JSON object of the personal fields.
type envelope struct {
	Content string          `json:"content"`
	Subject string          `json:"subject"`
	Whole   bool            `json:"whole,omitempty"`
	Paths   []string        `json:"paths,omitempty"`
	Clear   json.RawMessage `json:"clear,omitempty"`
	Nonce   []byte          `json:"nonce"`
	Blob    []byte          `json:"blob"`
	Mac     []byte          `json:"mac"`
}

// Encode implements [muster.Codec].
func (c *Codec) Encode(dst []byte, place muster.Place, v any) ([]byte, string, error) {
	plain, content, err := c.PlainCodec.Encode(nil, place, v)
	if err != nil {
		return nil, "", err
	}
	personal := c.Fields[fmt.Sprintf("%T", v)]
	whole := place.Purpose == muster.PurposeDeadLetter || slices.Contains(personal, "*")
	if !whole && len(personal) == 0 {
		return append(dst, plain...), content, nil
	}
	e := envelope{Content: content, Subject: place.AggregateID, Whole: whole}
	secret := plain
	if !whole {
		if secret, err = e.split(plain, personal); err != nil {
			return nil, "", err
		}
	}
	f, fails := c.fault(e.Subject)
	erased := fails && f == muster.FaultErased
	keeps := place.Purpose == muster.PurposeState || place.Purpose == muster.PurposeRow
	if fails && !(erased && (keeps || len(e.Paths) == 0 && !whole)) {
		return nil, "", Fault(f)
	}
	e.Nonce = make([]byte, 16)
	if _, err := rand.Read(e.Nonce); err != nil {
		return nil, "", err
	}
	if erased {
		secret = nil
	}
	e.Blob = e.xor(secret)
	e.Mac = e.sum(place)
	c.mu.Lock()
	c.sealed++
	c.mu.Unlock()
	text, err := json.Marshal(e)
	return append(append(dst, muster.SealedMark...), text...), muster.ContentSealed, err
}

// split takes the personal fields out of a JSON object; empty ones are none.
func (e *envelope) split(plain []byte, personal []string) (secret []byte, err error) {
	all, taken := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if err := json.Unmarshal(plain, &all); err != nil {
		return nil, err
	}
	for _, field := range personal {
		if v, has := all[field]; has {
			delete(all, field)
			if s := string(v); s != `""` && s != "0" && s != "null" {
				taken[field] = v
			}
		}
	}
	e.Paths = slices.Sorted(maps.Keys(taken))
	if e.Clear, err = json.Marshal(all); err != nil {
		return nil, err
	}
	return json.Marshal(taken)
}

// xor hides data from a search for its text, and from nobody else.
func (e *envelope) xor(data []byte) []byte {
	out := make([]byte, len(data))
	for i := range data {
		block := sha256.Sum256(binary.BigEndian.AppendUint32(slices.Clone(e.Nonce), uint32(i/32)))
		out[i] = data[i] ^ block[i%32]
	}
	return out
}

func (e *envelope) sum(place muster.Place) []byte {
	place.ContentType = ""
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v|%s|%s|%v|%s|%x|%x", place, e.Content, e.Subject, e.Whole, e.Clear, e.Nonce, e.Blob))
	return sum[:]
}

// Decode implements [muster.Codec].
func (c *Codec) Decode(place muster.Place, data []byte, into any) error {
	_, err := c.Reveal(place, data, into)
	return err
}

// Reveal implements [muster.Revealer].
func (c *Codec) Reveal(place muster.Place, data []byte, into any) (none muster.Redaction, err error) {
	text, sealed := bytes.CutPrefix(data, []byte(muster.SealedMark))
	if !sealed {
		return none, c.PlainCodec.Decode(place, data, into)
	}
	if f, fails := c.failsOnce(place.Purpose); fails {
		return none, Fault(f)
	}
	var e envelope
	if json.Unmarshal(text, &e) != nil {
		return none, Fault(muster.FaultFormat)
	}
	f, fails := c.fault(e.Subject)
	withheld := fails && (f == muster.FaultErased || f == muster.FaultNoAccess) && (len(e.Paths) > 0 || e.Whole)
	if fails && !withheld && f != muster.FaultErased {
		return none, Fault(f)
	}
	if !c.Unbound && !bytes.Equal(e.Mac, e.sum(place)) {
		return none, Fault(muster.FaultTampered)
	}
	c.mu.Lock()
	c.opened++
	c.mu.Unlock()
	redaction := muster.Redaction{}
	if withheld {
		redaction = muster.Redaction{Access: muster.AccessShredded, Paths: e.Paths}
		if f == muster.FaultNoAccess {
			redaction.Access, redaction.Denied = muster.AccessDenied, true
		}
	}
	place.ContentType = e.Content
	switch {
	case e.Whole && withheld:
		return redaction, nil
	case e.Whole && len(e.Blob) == 0 && place.Purpose == muster.PurposeState: // made of an erased subject's
		return muster.Redaction{Access: muster.AccessShredded}, nil
	case e.Whole:
		return none, c.PlainCodec.Decode(place, e.xor(e.Blob), into)
	}
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(e.Clear, &all); err != nil {
		return none, Fault(muster.FaultFormat)
	}
	if !withheld && len(e.Blob) > 0 {
		if err := json.Unmarshal(e.xor(e.Blob), &all); err != nil {
			return none, Fault(muster.FaultTampered)
		}
	}
	merged, err := json.Marshal(all)
	if err != nil {
		return none, err
	}
	return redaction, c.PlainCodec.Decode(place, merged, into)
}

// Personal implements [muster.Sealer].
func (c *Codec) Personal(v any) bool { return len(c.Fields[fmt.Sprintf("%T", v)]) > 0 }

// Likeness implements [muster.Sealer].
func (c *Codec) Likeness(dst, data []byte) []byte {
	var e envelope
	if text, sealed := bytes.CutPrefix(data, []byte(muster.SealedMark)); !sealed || json.Unmarshal(text, &e) != nil {
		return append(dst, data...)
	}
	return fmt.Appendf(dst, "%s|%s|%v|%s", e.Content, e.Subject, e.Whole, e.Clear)
}

// ErrBadType is what CheckTypes says of a type with a field "Forbidden".
var ErrBadType = errors.New("sealtest: field Forbidden: a field of that name cannot be sealed")

// CheckTypes implements [muster.TypeChecker].
func (c *Codec) CheckTypes(types ...reflect.Type) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.types = append(c.types, types...)
	for _, t := range types {
		if t.Kind() == reflect.Struct {
			if _, has := t.FieldByName("Forbidden"); has {
				return ErrBadType
			}
		}
	}
	return nil
}

// Types gives what CheckTypes was asked about.
func (c *Codec) Types() []reflect.Type {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.types)
}
