package crypto_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/crypto/internal/personpb"
)

// sealedFor gives a small payload with two parts for every purpose.
func sealedFor(t *testing.T, w *codecWorld, purpose muster.Purpose) (muster.Place, []byte) {
	t.Helper()
	place := muster.Place{Purpose: purpose, Group: "bank", Type: "bank.Transfer", AggregateID: "acc-1", Revision: 3, MessageID: "c1/0"}
	data, content, err := w.Encode(nil, place, &personpb.Transfer{From: "anna", To: "bert", FromName: "Anna", ToName: "Bert", Amount: 7})
	if err != nil {
		t.Fatal(err)
	}
	place.ContentType = content
	return place, data
}

func transferOf(w *codecWorld, place muster.Place, data []byte) (muster.Redaction, error) {
	return w.Reveal(place, data, &personpb.Transfer{})
}

func sealingFault(err error) bool {
	return errors.Is(err, crypto.ErrTampered) || errors.Is(err, crypto.ErrUnknownFormat) || errors.Is(err, crypto.ErrKeyMissing)
}

func TestEveryBitCounts(t *testing.T) {
	w := openCodec(t)
	place, data := sealedFor(t, w, muster.PurposeEvent)
	for bit := range len(data) * 8 {
		changed := bytes.Clone(data)
		changed[bit/8] ^= 1 << (bit % 8)
		if _, err := transferOf(w, place, changed); !sealingFault(err) {
			t.Fatalf("with bit %d of byte %d of %d flipped it gives %v", bit%8, bit/8, len(data), err)
		}
	}
}

func TestEveryTruncationAndExtension(t *testing.T) {
	w := openCodec(t)
	place, data := sealedFor(t, w, muster.PurposeEvent)
	for n := range data {
		if _, err := transferOf(w, place, data[:n]); !errors.Is(err, crypto.ErrUnknownFormat) {
			t.Fatalf("cut to %d of %d bytes it gives %v", n, len(data), err)
		}
	}
	for _, more := range [][]byte{{0}, {0x2a, 0}, data[len(data)-200:], data} {
		if _, err := transferOf(w, place, slices.Concat(data, more)); !errors.Is(err, crypto.ErrUnknownFormat) {
			t.Fatalf("with %d bytes more it gives %v", len(more), err)
		}
	}
}

// A payload opens where it was sealed and nowhere else: each field of the place is changed, to another value and in every bit of what it has.
func TestEveryFieldOfThePlaceCounts(t *testing.T) {
	w := openCodec(t)
	for purpose := muster.PurposeCommand; purpose <= muster.PurposeProgress; purpose++ {
		place, data := sealedFor(t, w, purpose)
		if _, err := transferOf(w, place, data); err != nil {
			t.Fatalf("purpose %d: %v", purpose, err)
		}
		for name, changed := range otherPlaces(place) {
			bound := true
			switch name {
			case "Revision":
				bound = purpose == muster.PurposeEvent || purpose == muster.PurposeState
			case "Group":
				bound = purpose != muster.PurposeRow
			}
			for _, other := range changed {
				if _, err := transferOf(w, other, data); bound != errors.Is(err, crypto.ErrTampered) {
					t.Errorf("purpose %d with another %s gives %v", purpose, name, err)
				}
			}
		}
	}
}

func otherPlaces(place muster.Place) map[string][]muster.Place {
	others := map[string][]muster.Place{}
	fields := reflect.TypeFor[muster.Place]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		if name == "ContentType" {
			continue
		}
		change := func(f func(reflect.Value)) {
			other := place
			f(reflect.ValueOf(&other).Elem().Field(i))
			others[name] = append(others[name], other)
		}
		switch old := reflect.ValueOf(place).Field(i); old.Kind() {
		case reflect.String:
			for bit := range old.Len() * 8 {
				b := []byte(old.String())
				b[bit/8] ^= 1 << (bit % 8)
				change(func(v reflect.Value) { v.SetString(string(b)) })
			}
			change(func(v reflect.Value) { v.SetString("") })
			change(func(v reflect.Value) { v.SetString(old.String() + "\x00") })
		case reflect.Uint64:
			for bit := range 64 {
				change(func(v reflect.Value) { v.SetUint(old.Uint() ^ 1<<bit) })
			}
		case reflect.Uint8:
			for other := range uint64(8) {
				if other > 0 && other != old.Uint() {
					change(func(v reflect.Value) { v.SetUint(other) })
				}
			}
		}
	}
	return others
}

func TestAnotherTenant(t *testing.T) {
	w := openCodec(t)
	place, data := sealedFor(t, w, muster.PurposeEvent)
	other := openCodec(t, func(c *crypto.Config) { c.Keys, c.KMS, c.Tenant = w.store, w.kms, "other" })
	if _, err := transferOf(other, place, data); err == nil {
		t.Error("another tenant opens it")
	}
}

// takeParts splits an envelope in front and parts, by the drawing in envelope.go.
func takeParts(t *testing.T, data []byte) (front []byte, parts [][]byte) {
	t.Helper()
	at := 9
	for at < len(data) {
		num, typ, n := protowire.ConsumeField(data[at:])
		if n < 0 || num > 5 || typ == protowire.StartGroupType {
			t.Fatalf("no envelope: %x", data)
		}
		if num == 5 {
			parts = append(parts, data[at:at+n])
		} else {
			front = data[:at+n]
		}
		at += n
	}
	return front, parts
}

func TestPartsAreSwappedDroppedDoubled(t *testing.T) {
	w := openCodec(t)
	place, data := sealedFor(t, w, muster.PurposeEvent)
	front, parts := takeParts(t, data)
	if len(parts) != 2 {
		t.Fatalf("%d parts", len(parts))
	}
	count := bytes.Index(front, []byte{3 << 3, 2})
	counted := func(n byte, parts ...[]byte) []byte {
		all := bytes.Clone(front)
		all[count+1] = n
		return slices.Concat(append([][]byte{all}, parts...)...)
	}
	if _, err := transferOf(w, place, counted(2, parts...)); err != nil {
		t.Fatal(err)
	}
	place2, data2 := sealedFor(t, w, muster.PurposeEvent)
	_, others := takeParts(t, data2)
	if !reflect.DeepEqual(place, place2) {
		t.Fatal("not the same place")
	}
	for name, changed := range map[string][]byte{
		"swapped": counted(2, parts[1], parts[0]), "first dropped": counted(1, parts[1]), "last dropped": counted(1, parts[0]),
		"doubled": counted(3, parts[0], parts[1], parts[1]), "one twice": counted(2, parts[0], parts[0]),
	} {
		if _, err := transferOf(w, place, changed); !errors.Is(err, crypto.ErrTampered) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, changed := range map[string][]byte{"dropped and not counted": counted(2, parts[0]), "added": counted(2, parts[0], parts[1], others[0])} {
		if _, err := transferOf(w, place, changed); !errors.Is(err, crypto.ErrUnknownFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Two sealings of one message in one place can be mixed only by who has the keys of neither, and mean the same.
	if _, err := transferOf(w, place, counted(2, parts[0], others[1])); err != nil {
		t.Errorf("parts of two sealings of the same message: %v", err)
	}
}

func TestUnknownKindsAskForNoKey(t *testing.T) {
	w := openCodec(t)
	place, data := sealedFor(t, w, muster.PurposeEvent)
	cold := openCodec(t, func(c *crypto.Config) { c.Keys, c.KMS = w.store, w.kms })
	front, parts := takeParts(t, data)
	blob := bytes.Index(parts[0], []byte{1, 1, 0, byte(muster.PurposeEvent)})
	before := w.store.asked.Load()
	for name, change := range map[string][2]byte{
		"version 0": {0, 0}, "version 2": {0, 2}, "suite 0": {1, 0}, "suite 2": {1, 2}, "flags": {2, 1}, "high flag": {2, 0x80}, "purpose 0": {3, 0}, "purpose 99": {3, 99},
	} {
		changed := bytes.Clone(parts[0])
		changed[blob+int(change[0])] = change[1]
		if _, err := transferOf(cold, place, slices.Concat(front, changed, parts[1])); !errors.Is(err, crypto.ErrUnknownFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	envelope := bytes.Clone(data)
	envelope[8] = 2
	short := slices.Concat([]byte(muster.SealedMark+"\x01"), []byte{2<<3 | 2, 0, 3 << 3, 1, 4<<3 | 2, 0, 5<<3 | 2, 2 + 16 + 2 + 47, 1<<3 | 2, 16}, make([]byte, 16), []byte{2<<3 | 2, 47}, parts[0][blob:blob+47])
	for name, changed := range map[string][]byte{"envelope of version 2": envelope, "a blob of 47 bytes": short, "no envelope": []byte("hello")} {
		if _, err := transferOf(cold, place, changed); !errors.Is(err, crypto.ErrUnknownFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if w.store.asked.Load() != before {
		t.Error("the key store was asked")
	}
}

func TestNoNonceTwice(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 20_000
	}
	if raceEnabled {
		n = 5_000
	}
	w := speedCodec(t)
	seen, place, dst := make(map[[12]byte]struct{}, n), eventAt("p-1", 1), []byte(nil)
	var v any = muster.Raw{}
	for range n {
		data, _, err := w.Encode(dst[:0], place, v)
		if err != nil {
			t.Fatal(err)
		}
		dst = data
		nonce := [12]byte(data[len(data)-28:])
		if _, twice := seen[nonce]; twice {
			t.Fatalf("nonce %x came twice in %d", nonce, len(seen))
		}
		seen[nonce] = struct{}{}
	}
}

func TestEmptyPayload(t *testing.T) {
	w := speedCodec(t)
	place := eventAt("p-1", 1)
	data, content, err := w.Encode(nil, place, muster.Raw{})
	if err != nil || content != muster.ContentSealed {
		t.Fatal(content, err)
	}
	got := muster.Raw("x")
	if err := w.Decode(place, data, &got); err != nil || len(got) != 0 {
		t.Errorf("%q, %v", got, err)
	}
	data[len(data)-1] ^= 1
	if err := w.Decode(place, data, &got); !errors.Is(err, crypto.ErrTampered) {
		t.Error(err)
	}
}

// The list in the associated data is injective: whatever is in its fields, no two lists have the same bytes.
func FuzzAssociatedData(f *testing.F) {
	f.Add("j", "acme", "a", "b", "c", "d", uint64(1), "j", "acme", "a", "bc", "", "d", uint64(1), uint8(1), uint8(2))
	f.Add("j", "acme", "g", "t", "id", "m", uint64(0), "j", "acme", "g", "t", "id", "m", uint64(256), uint8(2), uint8(4))
	f.Add("ja", "cme", "g", "t", "id", "m", uint64(0), "j", "acme", "g", "t", "id", "m", uint64(0), uint8(2), uint8(2))
	f.Add("j", "acme", "g", "t", "id", "m", uint64(0), "j", "", "acmeg", "t", "id", "m", uint64(0), uint8(2), uint8(2))
	f.Add("j", "\x00\x00\x00\x01", "g", "t", "id", "m", uint64(0), "j\x00\x00\x00\x01", "", "g", "t", "id", "m", uint64(0), uint8(2), uint8(2))
	f.Fuzz(func(t *testing.T, c1, n1, g1, t1, a1, m1 string, r1 uint64, c2, n2, g2, t2, a2, m2 string, r2 uint64, p1, p2 uint8) {
		one := muster.Place{Purpose: muster.Purpose(p1%7 + 1), Group: g1, Type: t1, AggregateID: a1, MessageID: m1, Revision: r1}
		two := muster.Place{Purpose: muster.Purpose(p2%7 + 1), Group: g2, Type: t2, AggregateID: a2, MessageID: m2, Revision: r2}
		same := bytes.Equal(crypto.TenantAAD(one, c1, n1, nil), crypto.TenantAAD(two, c2, n2, nil))
		for _, p := range []*muster.Place{&one, &two} { // what is not bound, by design
			if p.Purpose != muster.PurposeEvent && p.Purpose != muster.PurposeState {
				p.Revision = 0
			}
			if p.Purpose == muster.PurposeRow {
				p.Group = ""
			}
		}
		if same != (one == two && c1 == c2 && n1 == n2) {
			t.Errorf("%q %q %+v and %q %q %+v have the same bytes: %v", c1, n1, one, c2, n2, two, same)
		}
		// the clear bytes do not run into the list
		long := crypto.AAD(one, "x", []byte(g2))
		if !bytes.HasSuffix(long, []byte(g2)) || len(long) != len(crypto.AAD(one, "x", nil))+len(g2) {
			t.Error("the clear bytes do not stand at the end as they are")
		}
		if len(long) > 0 && binary.BigEndian.Uint32(long[len(crypto.Label)+20:]) != 1 {
			t.Error("the list does not begin with a length")
		}
	})
}
