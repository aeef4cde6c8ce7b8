package kafka

import (
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
)

const (
	stepIDPart     = "/progress/" // a step's ce_id: the command's, this, attempt, dot, number
	stepTypeSuffix = ".progress"  // a step's ce_type: the command's with this behind
)

// EncodeStep gives the record of a step of progress: key command id, topic and partition as the command asked, value the payload. cause is the
// meta of the command; the payload is not copied. The error is as with [EncodeReply].
func EncodeStep(s *muster.Step, to muster.ReplyTo, cause *muster.Meta, prefix string) (*kgo.Record, error) {
	if err := checkReplyTo(to, prefix); err != nil {
		return nil, err
	}
	w := newWriter(metaHeads+2, metaSize(cause)+2*len(s.CommandID)+len(stepIDPart)+len(stepTypeSuffix)+len(s.ContentType)+4*wordBytes)
	key := w.key(s.CommandID)
	w.text(headSpecVersion, specVersion)
	w.joined(headID, s.CommandID, stepIDPart+strconv.Itoa(s.Attempt)+"."+strconv.Itoa(s.Number))
	w.text(headSource, cause.Group)
	w.joined(headType, cause.Type, stepTypeSuffix)
	w.text(headSubject, cause.AggregateID)
	w.text(headContentType, s.ContentType)
	w.text(headCorrelation, cause.CorrelationID)
	w.text(headCausation, s.CommandID)
	w.text(headTraceParent, cause.TraceParent)
	w.text(headTraceState, cause.TraceState)
	w.text(headFormat, formatOne)
	w.uint(headStep, uint64(s.Number))
	w.uint(headAttempt, uint64(s.Attempt))
	return &kgo.Record{Topic: to.Topic, Partition: to.Partition, Key: key, Value: notNull(s.Payload), Headers: w.heads}, nil
}

// IsStep tells whether a record of a reply topic is a step of progress rather than a reply.
func IsStep(r *kgo.Record) bool { return find(r.Headers, headStep) != nil }

// DecodeStep reads a record for which [IsStep] is true. The errors are as with [DecodeReply]. The payload shares memory with r.
func DecodeStep(r *kgo.Record) (*muster.Step, error) {
	if r.Value == nil {
		return nil, fmt.Errorf("%v: %w", positionOf(r), ErrTombstone)
	}
	if format := find(r.Headers, headFormat); string(format) != formatOne {
		return nil, malformed(positionOf(r), "muster-format %s; this build reads %s, so a newer one is needed", quoted(format), formatOne)
	}
	if err := checkText(r.Key, muster.CheckCommandID); err != nil {
		return nil, malformed(positionOf(r), "record key: %s", messageOf(err))
	}
	var h heads
	h.read(r.Headers)
	s := &muster.Step{CommandID: string(r.Key), ContentType: h.content(), Payload: r.Value}
	var numbered, attempted bool
	s.Number, numbered = readCount(find(r.Headers, headStep))
	s.Attempt, attempted = readCount(find(r.Headers, headAttempt))
	if !numbered || !attempted || s.Number < 1 || s.Attempt < 1 {
		return nil, malformed(positionOf(r), "muster-step %s of muster-attempt %s; both count from 1", quoted(find(r.Headers, headStep)), quoted(find(r.Headers, headAttempt)))
	}
	return s, nil
}
