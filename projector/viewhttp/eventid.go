package viewhttp

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// reached is how far a stream has shown each source: the offset of the last record that counts as applied.
type reached map[projector.Source]int64

// note takes the positions of an update. A source does not move back.
func (r reached) note(at []muster.Position) {
	for _, p := range at {
		source := projector.Source{Topic: p.Topic, Partition: p.Partition}
		if before, known := r[source]; !known || p.Offset > before {
			r[source] = p.Offset
		}
	}
}

func (r reached) sources() []projector.Source {
	all := make([]projector.Source, 0, len(r))
	for s := range r {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b projector.Source) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return all
}

func (r reached) positions() []muster.Position {
	all := make([]muster.Position, 0, len(r))
	for _, s := range r.sources() {
		if offset := r[s]; offset >= 0 { // nothing of an empty source can be waited for
			all = append(all, muster.Position{Topic: s.Topic, Partition: s.Partition, Offset: offset})
		}
	}
	return all
}

const (
	eventIDFormat = 0xe1    // format 1, and no format of a position token
	maxEventID    = 8 << 10 // characters; a stream of more sources goes without ids
	maxSources    = 4096
)

// eventID is the id of an event of a stream. A stream of many partitions sends one with each event, so a topic is named once:
//
//	0          1                n                          and so on for each topic, in order
//	+----------+----------------+-------+-----------------+- - - -
//	| 0xe1     | length, uvarint| topic | count, uvarint  | count times: partition, uvarint | offset + 1, uvarint   | ...   base64url
//
// It is empty where there is nothing to say or too much.
func (r reached) eventID() string {
	all := r.sources()
	if len(all) == 0 || len(all) > maxSources {
		return ""
	}
	b := []byte{eventIDFormat}
	for start := 0; start < len(all); {
		topic, end := all[start].Topic, start
		for end < len(all) && all[end].Topic == topic {
			end++
		}
		b = binary.AppendUvarint(b, uint64(len(topic)))
		b = append(b, topic...)
		b = binary.AppendUvarint(b, uint64(end-start))
		for _, s := range all[start:end] {
			b = binary.AppendUvarint(b, uint64(uint32(s.Partition)))
			b = binary.AppendUvarint(b, uint64(max(r[s], -1)+1))
		}
		start = end
	}
	id := base64.RawURLEncoding.EncodeToString(b)
	if len(id) > maxEventID {
		return ""
	}
	return id
}

var errEventID = errors.New("no event id of this service")

// parseEventID reads what eventID wrote, and nothing else.
func parseEventID(id string) (reached, error) {
	b, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || len(id) > maxEventID || len(b) == 0 || b[0] != eventIDFormat {
		return nil, errEventID
	}
	b = b[1:]
	number := func(most uint64) (n uint64) {
		v, size := binary.Uvarint(b)
		if size <= 0 || v > most {
			err = errEventID
			return 0
		}
		b = b[size:]
		return v
	}
	r := reached{}
	for len(b) > 0 && err == nil {
		length := number(249)
		if err != nil || length == 0 || length > uint64(len(b)) {
			return nil, errEventID
		}
		topic := string(b[:length])
		b = b[length:]
		for range number(maxSources) {
			partition, offset := number(1<<31-1), number(1<<63-1)
			if err != nil {
				return nil, err
			}
			r[projector.Source{Topic: topic, Partition: int32(partition)}] = int64(offset) - 1
		}
	}
	if err != nil || r.eventID() != id { // varints have several spellings; only ours counts
		return nil, errEventID
	}
	return r, nil
}
