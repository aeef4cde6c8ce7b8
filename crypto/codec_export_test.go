package crypto

import "github.com/seed-3eec0498/muster"

const Label = label

// AAD gives the associated data of the only part in a place.
func AAD(place muster.Place, content string, bare []byte) []byte {
	return TenantAAD(place, content, "acme", bare)
}

// TenantAAD is AAD for a tenant.
func TenantAAD(place muster.Place, content, tenant string, bare []byte) []byte {
	return WholeAAD([headSize]byte(appendHead(nil, place.Purpose, &KeyID{})), content, tenant, &place, SubjectRef{}, 0, 1, bare)
}

// WholeAAD gives the associated data of a part.
func WholeAAD(h [headSize]byte, content, tenant string, place *muster.Place, ref SubjectRef, index, count int, bare []byte) []byte {
	return appendAAD(nil, h[:], content, tenant, place, &ref, index, count, bare)
}
