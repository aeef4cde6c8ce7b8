package crypto

import "github.com/seed-3eec0498/muster"

const Label = label

// AAD gives the associated data of the only part in a place.
func AAD(place muster.Place, content string, bare []byte) []byte {
	h := newHead(place.Purpose, KeyID{})
	return appendAAD(nil, &h, content, "acme", &place, &SubjectRef{}, 0, 1, bare)
}
