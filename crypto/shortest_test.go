package crypto_test

import (
	"errors"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
)

// padded gives a number with a byte more than it needs.
func padded(v uint64) []byte {
	long := protowire.AppendVarint(nil, v)
	long[len(long)-1] |= 0x80
	return append(long, 0)
}

// An envelope has one form: a number in it that is longer than it needs to be, whatever its length, is no format of ours.
func TestNumbersHaveTheirShortestForm(t *testing.T) {
	w := speedCodec(t)
	place := eventAt("p-1", 1)
	for _, size := range []int{0, 100, 1000, 20_000} {
		data, content, err := w.Encode(nil, place, muster.Raw(make([]byte, size)))
		if err != nil {
			t.Fatal(err)
		}
		place.ContentType = content
		opened := func(data []byte) error { return w.Decode(place, data, &muster.Raw{}) }
		if err := opened(data); err != nil {
			t.Fatal(err)
		}
		for at := len(muster.SealedMark) + 1; at < len(data); { // each field has a tag of one byte
			v, n := protowire.ConsumeVarint(data[at+1:])
			if err := opened(slices.Concat(data[:at+1], padded(v), data[at+1+n:])); !errors.Is(err, crypto.ErrUnknownFormat) {
				t.Errorf("%d bytes: the field at %d with a longer number gives %v", size, at, err)
			}
			body := at + 1 + n
			if data[at]>>3 == 5 { // the one part: subject_ref, which has no long form of its own here, and blob
				const blob = 2 + 16
				length, m := protowire.ConsumeVarint(data[body+blob+1:])
				part := slices.Concat(data[body:body+blob+1], padded(length), data[body+blob+1+m:])
				if err := opened(slices.Concat(data[:at+1], protowire.AppendVarint(nil, uint64(len(part))), part)); !errors.Is(err, crypto.ErrUnknownFormat) {
					t.Errorf("%d bytes: a blob with a longer length gives %v", size, err)
				}
			}
			at = body
			if protowire.Type(data[at-1-n]&7) == protowire.BytesType {
				at += int(v)
			}
		}
	}
}
