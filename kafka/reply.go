package kafka

import (
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
)

const (
	replyIDSuffix   = "/reply" // a reply's ce_id: the command's with this behind, because CloudEvents wants ids that differ per source
	replyTypeSuffix = ".reply" // a reply's ce_type likewise
)

// EncodeReply gives the record of a reply: key command id, topic and partition as the command asked, value the encoded outcome.
//
// The error is a PermissionDenied [muster.Error] when the command asked for an answer to a topic that is no reply topic under prefix: an
// owner must not be talked into writing anywhere else. Drop such a reply and count it.
func EncodeReply(r *muster.Reply, prefix string) (*kgo.Record, error) {
	return (*Slab)(nil).Reply(r, prefix)
}

// Reply is [EncodeReply] with memory from the slab.
func (s *Slab) Reply(r *muster.Reply, prefix string) (*kgo.Record, error) {
	if err := checkReplyTo(r.To, prefix); err != nil {
		return nil, err
	}
	m := r.Meta
	if m == nil {
		m = &muster.Meta{ID: r.CommandID}
	}
	w := s.writer(metaHeads+1, metaSize(m)+wordBytes+2*len(r.CommandID)+len(replyIDSuffix)+len(replyTypeSuffix)+len(muster.ContentProtobuf))
	key := w.key(r.CommandID)
	w.text(headSpecVersion, specVersion)
	w.joined(headID, r.CommandID, replyIDSuffix)
	w.text(headSource, m.Group)
	w.joined(headType, m.Type, replyTypeSuffix)
	w.text(headSubject, m.AggregateID)
	w.text(headContentType, muster.ContentProtobuf)
	w.text(headCorrelation, m.CorrelationID)
	w.text(headCausation, r.CommandID)
	w.text(headTraceParent, m.TraceParent)
	w.text(headTraceState, m.TraceState)
	w.text(headFormat, formatOne)
	if !r.Deadline.IsZero() {
		w.int(headDeadline, r.Deadline.UnixMilli())
	}
	size := 64 + len(r.Outcome.Message) + len(r.Outcome.Payload) + len(r.Outcome.Position.Topic) + len(r.Outcome.ContentType)
	out := s.record(&w)
	out.Topic, out.Partition, out.Key, out.Value = r.To.Topic, r.To.Partition, key, r.Outcome.Encode(s.room(size))
	s.wrote(out.Value)
	out.Value = out.Value[:len(out.Value):len(out.Value)]
	return out, nil
}

// checkReplyTo refuses every place but a reply topic under the prefix.
func checkReplyTo(to muster.ReplyTo, prefix string) error {
	under := muster.ReplyTopic(prefix, "")
	if strings.HasPrefix(to.Topic, under) && len(to.Topic) > len(under) && topicName(to.Topic) && to.Partition >= 0 {
		return nil
	}
	return &muster.Error{
		Code: muster.PermissionDenied, Reason: muster.ReasonBadRecord,
		Message: fmt.Sprintf("reply-to names topic %q partition %d, but answers go to topics under %q only; set the caller's prefix to the owner's",
			cut([]byte(to.Topic), maxTopicName), to.Partition, under),
	}
}

// DecodeReply reads a record of a reply topic, and sets CommandID from its key. [ErrTombstone] and [ErrForeign] are as with
// [DecodeEvent]; any other error is a DataLoss [muster.Error] that names topic, partition and offset. Payload and details share memory
// with r.
func DecodeReply(r *kgo.Record) (*muster.Outcome, error) {
	if r.Value == nil {
		return nil, fmt.Errorf("%v: %w", positionOf(r), ErrTombstone)
	}
	switch format := find(r.Headers, headFormat); {
	case format == nil:
		return nil, fmt.Errorf("%v: no muster-format header: %w", positionOf(r), ErrForeign)
	case string(format) != formatOne:
		return nil, malformed(positionOf(r), "muster-format %s; this build reads %s, so a newer one is needed", quoted(format), formatOne)
	}
	if err := checkText(r.Key, muster.CheckCommandID); err != nil {
		return nil, malformed(positionOf(r), "record key: %s", messageOf(err))
	}
	outcome, err := muster.DecodeOutcome(r.Value)
	if err != nil {
		return nil, malformed(positionOf(r), "%v", err)
	}
	outcome.CommandID = string(r.Key)
	if ms, ok := readUint(find(r.Headers, headDeadline)); ok && ms <= maxMillis {
		outcome.Deadline = time.UnixMilli(int64(ms)).UTC()
	}
	return outcome, nil
}
