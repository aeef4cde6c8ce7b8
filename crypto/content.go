package crypto

import "github.com/seed-3eec0498/muster"

// contentName gives a content type as a string, the usual ones without an allocation.
func contentName(b []byte) string {
	switch string(b) {
	case muster.ContentProtobuf:
		return muster.ContentProtobuf
	case muster.ContentJSON:
		return muster.ContentJSON
	case muster.ContentRaw:
		return muster.ContentRaw
	}
	return string(b)
}
