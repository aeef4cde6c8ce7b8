package projector

import "github.com/seed-3eec0498/muster"

// open gives a stored row as queries get it: protobuf, JSON or raw bytes. Where a codec seals rows it is read through the row's type.
func (v *View[V]) open(codec muster.Codec, key string, s storedRow) ([]byte, string, error) {
	if _, plain := codec.(muster.PlainCodec); plain {
		return s.payload, s.content, nil
	}
	row, err := v.value.Decode(codec, v.place(key, s.content), s.payload)
	if err != nil {
		return nil, "", err
	}
	return muster.PlainCodec{}.Encode(nil, v.place(key, ""), row)
}

// mergeRows makes one opened row of those that several shards have under a key. They are opened, too.
func (v *View[V]) mergeRows(key string, opened []storedRow) (storedRow, error) {
	var all V
	for i, s := range opened {
		row, err := v.value.Decode(muster.PlainCodec{}, v.place(key, s.content), s.payload)
		if err != nil {
			return storedRow{}, err
		}
		if i == 0 {
			all = row
		} else {
			all = v.merge(all, row)
		}
	}
	payload, content, err := muster.PlainCodec{}.Encode(nil, v.place(key, ""), all)
	return storedRow{payload: payload, content: content}, err
}
