package crypto

import (
	"encoding/binary"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/mutant"
)

// A blob is one sealed part, 48 bytes longer than what is in it; numbers are big-endian.
//
//	0         1       2       3         4           20         32                n-16     n
//	+---------+-------+-------+---------+-----------+----------+-----------------+--------+
//	| version | suite | flags | purpose | key id 16 | nonce 12 | ciphertext ...  | tag 16 |
const (
	blobVersion = 1  // 0.1
	suiteAESGCM = 1  // AES-256-GCM with a random nonce; 2 is reserved for XChaCha20-Poly1305
	headSize    = 20 // version to key id: authenticated as it is
	overhead    = headSize + 12 + 16
)

// appendHead writes the part of a blob that says how to open it.
func appendHead(dst []byte, purpose muster.Purpose, id *KeyID) []byte {
	dst = append(dst, blobVersion, suiteAESGCM, 0, byte(purpose))
	return append(dst, id[:]...)
}

// checkBlob looks at the head of a blob, behind which are nonce, ciphertext and tag. It asks for no key: what is of an unknown kind ends here.
func checkBlob(blob []byte, purpose muster.Purpose) error {
	switch {
	case len(blob) < overhead:
		return ErrUnknownFormat
	case blob[0] != blobVersion, blob[1] != suiteAESGCM, blob[2] != 0, blob[3] == 0, blob[3] > byte(lastPurpose):
		return ErrUnknownFormat
	case blob[3] != byte(purpose):
		return ErrTampered // sealed for another use
	}
	return nil
}

const lastPurpose = muster.PurposeProgress

// appendAAD gives the associated data of one part:
//
//	label | head 20 | content type, tenant, stream, aggregate id, revision or message id, type, message id, subject_ref, index, count | clear
//
// The list has a length u32 BE in front of each, so that no two lists have the same bytes; the clear bytes stand at the end as they are. The stream
// is the group, or the view where the payload is a row. An event and a state have a revision, u64 BE; everything else its message id once more.
func appendAAD(dst, head []byte, content, tenant string, place *muster.Place, ref *SubjectRef, index, count int, bare []byte) []byte {
	stream := place.Group
	if place.Purpose == muster.PurposeRow {
		stream = place.Type
	}
	dst = append(dst, label...)
	dst = append(dst, head...)
	dst = appendText(dst, content)
	dst = appendText(dst, tenant)
	dst = appendText(dst, stream)
	if !mutant.NoAggregateInAAD {
		dst = appendText(dst, place.AggregateID)
	}
	if place.Purpose == muster.PurposeEvent || place.Purpose == muster.PurposeState {
		dst = append(dst, 0, 0, 0, 8)
		dst = binary.BigEndian.AppendUint64(dst, place.Revision)
	} else {
		dst = appendText(dst, place.MessageID)
	}
	dst = appendText(dst, place.Type)
	dst = appendText(dst, place.MessageID)
	dst = append(append(dst, 0, 0, 0, 16), ref[:]...)
	dst = binary.BigEndian.AppendUint64(dst, 4<<32|uint64(uint32(index)))
	dst = binary.BigEndian.AppendUint64(dst, 4<<32|uint64(uint32(count)))
	return append(dst, bare...)
}

const label = "muster sealed payload 1\x00"

func appendText(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(s))), s...)
}
