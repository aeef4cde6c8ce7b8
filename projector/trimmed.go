package projector

import (
	"fmt"

	"github.com/seed-3eec0498/muster"
)

// ReasonTrimmed says of a stopped shard that the owner of a journal has removed events from it which the shard had not applied, as far as can be known.
const ReasonTrimmed = "trimmed"

// OnTrimmed says what happens when a shard comes to the mark of a trim that has removed events which it may not have read: it was paused, lagged, or
// begins in a journal that was trimmed before. [Stop], the default, stops the shard with [ReasonTrimmed], before what lies behind is applied; an
// operator who resumes it accepts what is missing. [Ignore] goes on without a word.
func OnTrimmed(o Outcome) Option { return func(d *Definition) { d.trimmed = &o } }

// Trimmed is the mark of a trim: events below Before were removed, the mark lies at At.
type Trimmed struct{ At, Before int64 }

func (d *Definition) trimmedFaults() []error {
	if d.trimmed == nil || *d.trimmed == Stop || *d.trimmed == Ignore {
		return nil
	}
	return []error{fmt.Errorf("projection %s: OnTrimmed with outcome %d; choose Stop or Ignore", d, *d.trimmed)}
}

// readAhead is what a source knows of the time at which it was read, in offsets:
//
//	all below safe was read before a mark was written that is still to come;  when all below pos was read, the journal ended at high
//
// A mark that lies at high or behind was written when all below pos had been read: what it removed below pos was not missed. So no clock is needed.
type readAhead struct {
	safe      int64
	pos, high int64
	accepted  int64 // marks before it are accepted by an operator
}

// begins notes where a source is read from; what lies before is applied.
func (r *readAhead) begins(next int64) { r.safe, r.pos, r.high = next, next, -1 }

// passed notes that all below pos was read while the journal ended at high.
func (r *readAhead) passed(pos, high int64) {
	if r.high <= pos {
		r.safe, r.pos, r.high = max(r.safe, r.pos), pos, high
	}
}

// misses tells whether a mark has removed what may not have been read.
func (r *readAhead) misses(t Trimmed) bool {
	if r.high <= t.At {
		r.safe = max(r.safe, r.pos)
	}
	return t.Before > r.safe && t.At >= r.accepted
}

// untrimmed stops the shard at a mark behind which events are missing.
func (w *worker) untrimmed(d *Delivery) error {
	if w.d.trimmed != nil && *w.d.trimmed == Ignore {
		return nil
	}
	for src, marks := range d.Trimmed {
		s := w.locate(src)
		if s == nil {
			continue
		}
		for _, t := range marks {
			if s.ahead.misses(t) {
				return &stopped{reason: ReasonTrimmed, at: muster.Position{Topic: src.Topic, Partition: src.Partition, Offset: t.At}, err: fmt.Errorf(
					"projection %s: events below offset %d of journal %s were trimmed, and from %d on they may be missing here; resume it to go on without them, or make the rows from elsewhere",
					w.shard, t.Before, src, s.ahead.safe)}
			}
		}
	}
	return nil
}
