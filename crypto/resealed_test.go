package crypto_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/crypto/internal/personpb"
)

// openedEnvelope is an envelope taken apart by the drawing in envelope.go, to be put together again with other content and right lengths.
type openedEnvelope struct {
	content, clear []byte
	refs, blobs    [][]byte
}

func takeEnvelope(t *testing.T, data []byte) (e openedEnvelope) {
	t.Helper()
	field := func(data []byte) (num protowire.Number, value, rest []byte) {
		num, typ, n := protowire.ConsumeTag(data)
		size := protowire.ConsumeFieldValue(num, typ, data[max(n, 0):])
		if n < 0 || size < 0 {
			t.Fatalf("no envelope: %x", data)
		}
		value = data[n : n+size]
		if typ == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(value)
		}
		return num, value, data[n+size:]
	}
	for rest := data; len(rest) > 0; {
		var num protowire.Number
		var value []byte
		switch num, value, rest = field(rest); num {
		case 2:
			e.content = value
		case 4:
			e.clear = value
		case 5:
			_, ref, more := field(value)
			_, blob, _ := field(more)
			e.refs, e.blobs = append(e.refs, ref), append(e.blobs, blob)
		}
	}
	return e
}

func (e openedEnvelope) bytes() []byte {
	data := []byte(muster.SealedMark + "\x01")
	data = protowire.AppendBytes(protowire.AppendTag(data, 2, protowire.BytesType), e.content)
	data = protowire.AppendVarint(protowire.AppendTag(data, 3, protowire.VarintType), uint64(len(e.blobs)))
	data = protowire.AppendBytes(protowire.AppendTag(data, 4, protowire.BytesType), e.clear)
	for i := range e.blobs {
		part := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), e.refs[i])
		part = protowire.AppendBytes(protowire.AppendTag(part, 2, protowire.BytesType), e.blobs[i])
		data = protowire.AppendBytes(protowire.AppendTag(data, 5, protowire.BytesType), part)
	}
	return data
}

// The envelope is whole and its lengths are right, and what is in it was cut, made longer or changed: the blob and the clear bytes say so themselves.
func TestWhatIsInTheEnvelopeIsCutAndMadeLonger(t *testing.T) {
	w := openCodec(t)
	place, data := sealedFor(t, w, muster.PurposeEvent)
	good := takeEnvelope(t, data)
	if !bytes.Equal(good.bytes(), data) || len(good.blobs) != 2 {
		t.Fatalf("put together again it is\n%x, was\n%x", good.bytes(), data)
	}
	with := func(change func(e *openedEnvelope)) error {
		e := openedEnvelope{good.content, good.clear, slices.Clone(good.refs), slices.Clone(good.blobs)}
		change(&e)
		_, err := transferOf(w, place, e.bytes())
		return err
	}
	for part, blob := range good.blobs {
		for n := range blob {
			want := crypto.ErrTampered
			if n < 48 {
				want = crypto.ErrUnknownFormat
			}
			if err := with(func(e *openedEnvelope) { e.blobs[part] = blob[:n] }); !errors.Is(err, want) {
				t.Errorf("blob %d cut to %d of %d bytes: %v", part, n, len(blob), err)
			}
		}
		for more := range 256 {
			if err := with(func(e *openedEnvelope) { e.blobs[part] = append(bytes.Clone(blob), byte(more)) }); !errors.Is(err, crypto.ErrTampered) {
				t.Errorf("blob %d with a byte %d more: %v", part, more, err)
			}
		}
		for bit := range len(blob) * 8 {
			flipped := bytes.Clone(blob)
			flipped[bit/8] ^= 1 << (bit % 8)
			want := crypto.ErrTampered
			switch {
			case bit < 3*8, bit < 4*8 && flipped[3] > byte(muster.PurposeProgress), bit < 4*8 && flipped[3] == 0:
				want = crypto.ErrUnknownFormat // version, suite, flags, and purposes that there are not
			case bit >= 4*8 && bit < 20*8:
				want = crypto.ErrKeyMissing // the key id
			}
			if err := with(func(e *openedEnvelope) { e.blobs[part] = flipped }); !errors.Is(err, want) {
				t.Errorf("blob %d with bit %d of byte %d flipped: %v, want %v", part, bit%8, bit/8, err, want)
			}
		}
	}
	for n := range good.clear {
		if err := with(func(e *openedEnvelope) { e.clear = good.clear[:n] }); !errors.Is(err, crypto.ErrTampered) {
			t.Errorf("clear bytes cut to %d of %d: %v", n, len(good.clear), err)
		}
	}
	for bit := range len(good.clear) * 8 {
		flipped := bytes.Clone(good.clear)
		flipped[bit/8] ^= 1 << (bit % 8)
		if err := with(func(e *openedEnvelope) { e.clear = flipped }); !errors.Is(err, crypto.ErrTampered) {
			t.Errorf("clear bytes with bit %d of byte %d flipped: %v", bit%8, bit/8, err)
		}
	}
	for more := range 256 {
		if err := with(func(e *openedEnvelope) { e.clear = append(bytes.Clone(good.clear), byte(more)) }); !errors.Is(err, crypto.ErrTampered) {
			t.Errorf("clear bytes with a byte %d more: %v", more, err)
		}
	}
	for name, change := range map[string]func(e *openedEnvelope){
		"blobs swapped":    func(e *openedEnvelope) { e.blobs[0], e.blobs[1] = e.blobs[1], e.blobs[0] },
		"refs swapped":     func(e *openedEnvelope) { e.refs[0], e.refs[1] = e.refs[1], e.refs[0] },
		"one ref for both": func(e *openedEnvelope) { e.refs[1] = e.refs[0] },
	} {
		if err := with(change); !errors.Is(err, crypto.ErrKeyMissing) {
			t.Errorf("%s, so that the key is none of that subject: %v", name, err)
		}
	}
	if err := with(func(e *openedEnvelope) { e.content = []byte(muster.ContentJSON) }); !errors.Is(err, crypto.ErrTampered) {
		t.Errorf("another content type: %v", err)
	}
	if err := with(func(e *openedEnvelope) { e.refs, e.blobs = nil, nil }); err != nil {
		t.Errorf("without any part nothing is sealed, and nothing proves the clear bytes, as doc.go says: %v", err)
	}
}

// Each thing that the associated data is made of changes it, and no two changes give the same.
func TestEveryFieldOfTheAssociatedData(t *testing.T) {
	place := muster.Place{Purpose: muster.PurposeEvent, Group: "bank", Type: "bank.Paid", AggregateID: "a", Revision: 1, MessageID: "c/0"}
	type input struct {
		head            [20]byte
		content, tenant string
		place           muster.Place
		ref             crypto.SubjectRef
		index, count    int
		clear           string
	}
	good := input{head: [20]byte{1, 1, 0, 2}, content: "x", tenant: "acme", place: place, count: 1, clear: "c"}
	seen := map[string]string{}
	try := func(name string, in input) {
		data := string(crypto.WholeAAD(in.head, in.content, in.tenant, &in.place, in.ref, in.index, in.count, []byte(in.clear)))
		if other, twice := seen[data]; twice {
			t.Errorf("%s and %s have the same associated data", name, other)
		}
		seen[data] = name
	}
	try("nothing", good)
	for bit := range 20 * 8 {
		in := good
		in.head[bit/8] ^= 1 << (bit % 8)
		try(fmt.Sprintf("bit %d of the head", bit), in)
	}
	for bit := range 16 * 8 {
		in := good
		in.ref[bit/8] ^= 1 << (bit % 8)
		try(fmt.Sprintf("bit %d of the reference", bit), in)
	}
	for bit := range 10 { // of at most 1,000 parts
		in := good
		in.index ^= 1 << bit
		try(fmt.Sprintf("bit %d of the index", bit), in)
		in = good
		in.count ^= 1 << bit
		try(fmt.Sprintf("bit %d of the count", bit), in)
	}
	for name, change := range map[string]func(in *input){
		"no tenant":         func(in *input) { in.tenant = "" },
		"another tenant":    func(in *input) { in.tenant = "acmf" },
		"no content type":   func(in *input) { in.content = "" },
		"a content type":    func(in *input) { in.content = "y" },
		"clear bytes":       func(in *input) { in.clear = "d" },
		"no clear bytes":    func(in *input) { in.clear = "" },
		"tenant to content": func(in *input) { in.content, in.tenant = "xa", "cme" },
	} {
		in := good
		change(&in)
		try(name, in)
	}
	for name, places := range otherPlaces(place) {
		if name == "Purpose" { // it is bound by the head
			continue
		}
		for i, other := range places {
			in := good
			in.place = other
			try(fmt.Sprintf("%s %d", name, i), in)
		}
	}
}

// Two processes seal under one key, at the same place and at once, and no nonce comes twice; each opens what the other has sealed. Sealing the same
// again, as a retry does, takes a new nonce.
func TestTwoProcessesAndRetriesUseNoNonceTwice(t *testing.T) {
	one := openCodec(t)
	two := openCodec(t, func(c *crypto.Config) { c.Keys, c.KMS = one.store, one.kms })
	const each = 1000
	sealed := [2][each][]byte{}
	place, in := eventAt("p-1", 1), &personpb.Person{Name: "Anna"}
	var both sync.WaitGroup
	for process, w := range []*codecWorld{one, two} {
		both.Go(func() {
			for i := range each {
				data, _, err := w.Encode(nil, place, in)
				if err != nil {
					t.Error(err)
					return
				}
				sealed[process][i] = data
			}
		})
	}
	both.Wait()
	if t.Failed() {
		return
	}
	nonces, keys := map[string]bool{}, map[string]bool{}
	for process := range sealed {
		for _, data := range sealed[process] {
			blob := takeEnvelope(t, data).blobs[0]
			keys[string(blob[4:20])], nonces[string(blob[20:32])] = true, true
		}
	}
	if len(keys) != 1 || len(nonces) != 2*each {
		t.Errorf("%d sealings under %d keys with %d nonces", 2*each, len(keys), len(nonces))
	}
	one.reads(t, place, sealed[1][0], nil)
	two.reads(t, place, sealed[0][0], nil)
}
