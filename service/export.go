package service

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
)

// ExportedMessage is one line of an export: an event of an aggregate that has data of the subject, as JSON. What belongs to other subjects is absent,
// and named.
type ExportedMessage struct {
	Group     string          `json:"group"`
	Type      string          `json:"type"`
	Aggregate string          `json:"aggregate"`
	Revision  uint64          `json:"revision"`
	Time      time.Time       `json:"time"`
	Fields    json.RawMessage `json:"fields"`
	Withheld  []string        `json:"withheld,omitempty"`
}

// Exported says what an export gave.
type Exported struct {
	ID       string // of the export, as on the ledger
	Messages int
}

// opener is a codec that can be bound to one subject.
type opener interface {
	For(subject muster.SubjectRef) muster.Revealer
}

// Export writes what the served partitions of this instance have of a person, as one [ExportedMessage] a line: the events with data of theirs, those
// too in which it lies in clear because it was declared personal later. Whoever
// has everything asks each instance of each service of the key space. The export is noted on the ledger with its requester, before the first line,
// and with the count behind the last one. It reads the journals of the partitions from their beginning; trimmed events are gone.
//
// FailedPrecondition: the subject is erased; the error names the erasure. Unimplemented: the codec cannot tell whose data is where.
func (p *Privacy) Export(ctx context.Context, subject, requester string, to io.Writer) (Exported, error) {
	none := Exported{}
	ref, err := p.config.ref(subject)
	if err != nil {
		return none, muster.Errorf(muster.InvalidArgument, "%v", err)
	}
	codec, does := p.s.cfg.codec().(opener)
	attributor, is := p.s.cfg.codec().(muster.Attributor)
	if !does || !is {
		return none, muster.Errorf(muster.Unimplemented, "%T cannot be bound to one subject; export needs a crypto.Codec", p.s.cfg.codec())
	}
	switch e, err := p.Status(ctx, subject); {
	case err == nil && !e.Reinstated:
		return none, muster.Errorf(muster.FailedPrecondition, "subject %s is erased: erasure %s, %s", hex.EncodeToString(ref[:]), e.ID, e.State)
	case err != nil && muster.CodeOf(err) != muster.NotFound:
		return none, err
	}
	x := &export{p: p, ref: ref, codec: codec.For(ref), attributor: attributor, to: json.NewEncoder(to)}
	id := uuid.NewString()
	if err := p.ledger.Exported(ctx, crypto.ExportRecord{ID: id + "/begun", Subject: ref, Requester: requester}); err != nil {
		return none, muster.Errorf(muster.InvalidArgument, "nothing was exported: %v", err)
	}
	var faults []error
	for _, o := range p.s.owners {
		for _, n := range o.served() {
			if err := x.partition(ctx, o, n); err != nil {
				faults = append(faults, fmt.Errorf("export of %s[%d]: %w", o.group.Name(), n, err))
			}
		}
	}
	err = p.ledger.Exported(ctx, crypto.ExportRecord{ID: id, Subject: ref, Requester: requester, Messages: x.messages})
	return Exported{ID: id, Messages: x.messages}, errors.Join(append(faults, err)...)
}

// export is one Export under way.
type export struct {
	p          *Privacy
	ref        crypto.SubjectRef
	codec      muster.Codec
	attributor muster.Attributor
	to         *json.Encoder
	messages   int
	subjects   []muster.SubjectRef
}

func (x *export) partition(ctx context.Context, o *owner, n int32) error {
	return o.events(ctx, n, func(e *muster.Event) error {
		has, err := x.has(e.Payload), error(nil)
		if !has {
			has, err = o.eventDiscloses(e, x.ref)
		}
		if err != nil || !has {
			return err
		}
		v, withheld, err := o.behaviour.ReadEvent(x.codec, e)
		if err != nil {
			return err
		}
		fields, err := jsonOf(v)
		if err != nil {
			return err
		}
		x.messages++
		return x.to.Encode(ExportedMessage{
			Group: o.group.Name(), Type: e.Type, Aggregate: e.AggregateID, Revision: e.Revision, Time: e.Time, Fields: fields, Withheld: withheld.Paths,
		})
	})
}

func (x *export) has(payload []byte) bool {
	x.subjects = x.attributor.Subjects(x.subjects[:0], payload)
	return slices.Contains(x.subjects, x.ref)
}

func jsonOf(v any) ([]byte, error) {
	if m, is := v.(proto.Message); is {
		return protojson.Marshal(m)
	}
	return json.Marshal(v)
}
