package journal

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// partition is what is held in memory of an open partition.
//
//	window.first = meta.first;  window.next() = meta.next
type partition struct {
	number int32
	prefix prefix
	cfg    *Config // read-only

	storing sync.Mutex // held over a whole Store or Reset: one at a time; guards scratch and gone
	scratch []byte     // for encoding answers and meta
	gone    bool       // released; who still holds the partition in hand may not store any more

	mu      sync.RWMutex // guards what follows; writers hold storing too, so that who holds storing may read without it
	meta    meta
	window  *window
	covered int64 // the snapshots topic has every state whose last event lies before this journal offset
}

// maxScratch is how much encoding memory a partition keeps between two Stores.
const maxScratch = 1 << 20

func (g *GroupStore) empty(number int32) *partition {
	return &partition{
		number: number, prefix: prefixOf(g.number, number), cfg: &g.s.cfg,
		meta: meta{topic: g.topic, lastAt: -1}, window: newWindow(0),
	}
}

func (p *partition) checkpoint() Checkpoint {
	p.mu.RLock()
	defer p.mu.RUnlock()
	at := Checkpoint{Next: p.meta.journal, LastEvent: p.meta.lastEvent, LastAt: p.meta.lastAt, TopicID: p.meta.topic, Answers: int(p.window.count)}
	if p.meta.time != 0 {
		at.Time = time.UnixMicro(p.meta.time).UTC()
	}
	return at
}

// read reads a partition back. A reason says that its rows have to be wiped, because of cause; a cause alone, that reading failed.
func (g *GroupStore) read(number int32) (p *partition, reason string, cause error) {
	p, doing := g.empty(number), "open "+g.title(number)
	value, closer, err := g.s.db.Get(p.prefix.key(kindMeta, ""))
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		there, err := g.s.anyRow(p.prefix)
		if err == nil && there {
			return nil, ReasonCorrupt, errors.New("there are rows, but no meta row")
		}
		return g.readable(p, doing, err)
	case err != nil:
		return g.readable(p, doing, err)
	}
	m, err := decodeMeta(value)
	_ = closer.Close()
	switch {
	case errors.Is(err, errNewer):
		return nil, ReasonNewerFormat, err
	case err != nil:
		return nil, ReasonCorrupt, err
	case m.topic != g.topic && m.topic != [16]byte{} && g.topic != [16]byte{}:
		return nil, ReasonRecreatedTopic, fmt.Errorf("the rows were folded from topic %x, the journal is topic %x now", m.topic, g.topic)
	case g.topic != [16]byte{}:
		m.topic = g.topic
	}
	p.meta, p.window = m, newWindow(m.first)
	return g.readable(p, doing, errors.Join(g.readCovered(p), g.readWindow(p)))
}

// readable sorts the end of a read: done, corrupt and to be wiped, or failed.
func (g *GroupStore) readable(p *partition, doing string, err error) (*partition, string, error) {
	if err = g.s.fault(doing, err); err == nil {
		return p, "", nil
	}
	if errors.Is(err, errNewer) {
		return nil, ReasonNewerFormat, err
	}
	if errors.Is(err, ErrCorrupt) {
		return nil, ReasonCorrupt, err
	}
	return nil, "", err
}

// readWindow fills the window from the answers in store.
func (g *GroupStore) readWindow(p *partition) error {
	rows, err := g.s.db.NewIter(&pebble.IterOptions{LowerBound: p.prefix.answers(p.meta.first), UpperBound: p.prefix.key(kindAnswers+1, "")})
	if err != nil {
		return err
	}
	for rows.First(); rows.Valid() && err == nil; rows.Next() {
		err = p.readAnswers(rows.Key(), rows)
	}
	if err = errors.Join(err, rows.Close()); err != nil {
		return err
	}
	if p.window.next() != p.meta.next {
		return undecodable(fmt.Errorf("there are answers up to %d, the meta row says %d", p.window.next(), p.meta.next))
	}
	return nil
}

// readAnswers adds the ids of one record to the window.
func (p *partition) readAnswers(key []byte, rows *pebble.Iterator) error {
	sequence, err := sequenceOf(key)
	if err == nil && sequence != p.window.next() {
		err = fmt.Errorf("answers %d come where %d are due", sequence, p.window.next())
	}
	if err != nil {
		return undecodable(err)
	}
	value, err := rows.ValueAndErr()
	if err != nil {
		return err
	}
	record, err := openAnswers(value)
	for i := 0; i < record.count && err == nil; i++ {
		var id []byte
		if id, _, err = record.id(i); err == nil {
			p.window.add(p.window.split(id))
		}
	}
	if err != nil {
		return undecodable(err)
	}
	p.window.seal(record.at)
	return nil
}

// anyRow tells whether a partition has rows.
func (s *Store) anyRow(start prefix) (bool, error) {
	end := start.end()
	rows, err := s.db.NewIter(&pebble.IterOptions{LowerBound: start[:], UpperBound: end[:]})
	if err != nil {
		return false, err
	}
	there := rows.First()
	return there, rows.Close()
}
