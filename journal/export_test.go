package journal

import "github.com/seed-3eec0498/muster"

// What tests of the bytes need to see.

var (
	DecodeFormat   = func(b []byte) error { _, err := decodeFormat(b); return err }
	DecodeRegistry = decodeRegistry
	DecodeState    = decodeState
	DecodeMeta     = func(b []byte) error { _, err := decodeMeta(b); return err }
	SequenceOf     = sequenceOf
	DecodeCovered  = decodeCovered
)

func EncodeState(s muster.StoredState) []byte {
	b := make([]byte, stateBytes+len(s.Data))
	putState(b, &s)
	return b
}

// RewriteMeta decodes and encodes.
func RewriteMeta(b []byte) ([]byte, error) {
	m, err := decodeMeta(b)
	if err != nil {
		return nil, err
	}
	return appendMeta(nil, &m), nil
}

func EncodeAnswers(at int64, answers []muster.Remembered) []byte {
	return appendAnswers(nil, at, answers)
}

func AnswersSize(answers []muster.Remembered) int { return answersSize(answers) }

// DecodeAnswers reads a whole record.
func DecodeAnswers(b []byte) (at int64, answers []muster.Remembered, err error) {
	record, err := openAnswers(b)
	if err != nil {
		return 0, nil, err
	}
	for i := range record.count {
		answer, err := record.answer(i)
		if err != nil {
			return 0, nil, err
		}
		answers = append(answers, answer)
	}
	return record.at, answers, nil
}

func EncodeFormat(f uint16) []byte        { return appendFormat(nil, format(f)) }
func EncodeRegistry(number uint16) []byte { return appendRegistry(nil, number) }
func FormatKey() []byte                   { return prefixOf(ownGroup, 0).key(kindMeta, "") }
func MetaKey(group uint16, partition int32) []byte {
	return prefixOf(group, partition).key(kindMeta, "")
}

// Window is the filter of one partition.
type Window struct{ w *window }

func NewWindow() Window                                   { return Window{newWindow(0)} }
func (w Window) Add(id string)                            { w.w.add(w.w.splitString(id)) }
func (w Window) Seal(at int64)                            { w.w.seal(at) }
func (w Window) Drop(n int)                               { w.w.drop(n) }
func (w Window) Excess(extra, most int, before int64) int { return w.w.excess(extra, most, before) }
func (w Window) Count() int                               { return int(w.w.count) }
func (w Window) Bytes() int64                             { return w.w.bytes() }
func (w Window) SkipPositions(n uint32)                   { w.w.oldest += n } // only while it is empty
func (w Window) Find(id string) (places [][2]int) {
	for _, f := range w.w.find(id) {
		places = append(places, [2]int{int(f.sequence), f.place})
	}
	return places
}

func AnswersKey(group uint16, partition int32, sequence uint64) []byte {
	return prefixOf(group, partition).answers(sequence)
}

func EncodeCovered(journal int64) []byte { return appendCovered(nil, journal) }
