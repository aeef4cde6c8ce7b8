package muster

// A state lies in the store without its content type: it is that of the state's own Go type. A state that was sealed, or whose own bytes begin
// with a zero, is written with its content type in front:
//
//	0x00 0x01 | length of the content type, 1 byte | content type | data
//
// No protobuf message and no JSON begins with a zero byte.
const (
	frameMark    = 0x00
	frameVersion = 0x01
)

// frameState puts a frame around a state that needs one.
func frameState(data []byte, contentType string) []byte {
	if contentType != ContentSealed && (len(data) == 0 || data[0] != frameMark) {
		return data
	}
	return frame(data, contentType)
}

func frame(data []byte, contentType string) []byte {
	contentType = contentType[:min(len(contentType), 255)]
	framed := make([]byte, 0, 3+len(contentType)+len(data))
	framed = append(framed, frameMark, frameVersion, byte(len(contentType)))
	framed = append(framed, contentType...)
	return append(framed, data...)
}

// unframe gives what frame was given; the content type is empty where there is no frame.
func unframe(data []byte) (inner []byte, contentType string) {
	if len(data) < 3 || data[0] != frameMark || data[1] != frameVersion || len(data) < 3+int(data[2]) {
		return data, ""
	}
	contentType = string(data[3 : 3+int(data[2])])
	return data[3+int(data[2]):], contentType
}

func (b *Behaviour) statePlace(id string, revision uint64) Place {
	return Place{Purpose: PurposeState, Group: b.group.name, Type: b.group.name, AggregateID: id, Revision: revision}
}

// openState decodes a stored state that has a revision. One that is absent as a whole is an empty one: its subject is erased.
func (b *Behaviour) openState(codec Codec, stored *StoredState) (any, Redaction, error) {
	place := b.statePlace(stored.AggregateID, stored.Revision)
	data, contentType := unframe(stored.Data)
	place.ContentType = contentType
	state, r, err := b.state(codec, place, data)
	switch {
	case err != nil:
		return nil, Redaction{}, err
	case r.denied():
		return nil, Redaction{}, withheld(r, place)
	case r.Whole():
		return b.zero(), r, nil
	}
	return state, r, nil
}
