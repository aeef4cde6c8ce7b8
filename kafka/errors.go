package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
)

// What [DecodeEvent], [DecodeDeadLetter] and [DecodeReply] answer when there is nothing of the toolkit's to decode.
var (
	// ErrForeign: the record has no muster-format header, so something else wrote it. It is no event; pass over it, and say so.
	ErrForeign = errors.New("not written by the toolkit")
	// ErrMark: the record is no dead letter but says what became of one; see [DecodeMark].
	ErrMark = errors.New("a mark of a dead letter")
	// ErrTombstone: the record has a null value and removes the one with its key from a compacted topic, or it is the mark of trimming that
	// stands in front of such records. It is no event; pass over it.
	ErrTombstone = errors.New("a tombstone")
)

// Map turns what the client library or a broker answered into a [muster.Error] that says what op was doing and what to do next. The
// original is still found by errors.Is and errors.As. Nil stays nil, and what has a [muster.Error] inside already comes back unchanged.
//
//	retriable by Kafka's own judgement, connection trouble   Unavailable, Retry set
//	client closed                                            Unavailable, errors.Is muster.ErrShuttingDown
//	no right to do it                                        PermissionDenied
//	certificate or credentials not accepted                  Unauthenticated
//	topic missing or recreated, broker too old               FailedPrecondition
//	record too large                                         InvalidArgument
//	context over                                             Cancelled, DeadlineExceeded
//	everything else                                          Internal
func Map(op string, err error) error {
	if err == nil {
		return nil
	}
	if _, done := errors.AsType[*muster.Error](err); done {
		return err
	}
	code, retry, next := classify(err)
	cause := err
	if errors.Is(err, kgo.ErrClientClosed) {
		cause = errors.Join(muster.ErrShuttingDown, err)
	}
	message := fmt.Sprintf("%s: %v", op, err)
	if next != "" {
		message += "; " + next
	}
	return &mapped{refusal: &muster.Error{Code: code, Message: message, Retry: retry}, cause: cause}
}

// mapped is an error with both faces: the typed one for callers, the library's for those that know Kafka.
type mapped struct {
	refusal *muster.Error
	cause   error
}

// Error gives code, operation, cause and the next step.
func (m *mapped) Error() string { return m.refusal.Error() }

// Unwrap gives both.
func (m *mapped) Unwrap() []error { return []error{m.refusal, m.cause} }

func classify(err error) (code muster.Code, retry bool, next string) {
	switch {
	case errors.Is(err, context.Canceled):
		return muster.Cancelled, false, ""
	case connecting(err) != nil && connecting(err).Cause != CauseDial:
		return muster.Unauthenticated, false, connecting(err).next()
	case dialing(err): // also when the context ended meanwhile: the address is the better hint
		return muster.Unavailable, true, nextReach
	case errors.Is(err, context.DeadlineExceeded):
		return muster.DeadlineExceeded, true, "is the cluster reachable, and are all partitions led?"
	case errors.Is(err, kgo.ErrClientClosed):
		return muster.Unavailable, true, ""
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.GroupAuthorizationFailed),
		errors.Is(err, kerr.ClusterAuthorizationFailed), errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		return muster.PermissionDenied, false, "grant it with kafka-acls.sh; docs/security.md lists the rights each part needs"
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return muster.Unauthenticated, false, nextAuth
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return muster.Unauthenticated, false, "this listener does not offer the mechanism; set SASL.Mechanism to one of its sasl.enabled.mechanisms"
	case errors.Is(err, kerr.IllegalSaslState):
		return muster.Unauthenticated, false, "this listener asks for no SASL; leave SASL.Mechanism empty, or take the address of the SASL listener"
	case cutAtOnce(err): // a broker that was killed looks the same as one that wants another protocol: so it is tried again, and the hint stays
		if connectCause(err) == CauseTLS {
			return muster.Unavailable, true, "does this port want TLS? then set TLS.Enabled"
		}
		return muster.Unavailable, true, "does this listener ask for SASL? then set SASL.Mechanism and the credentials"
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		return muster.InvalidArgument, false, "send less in one message, or raise max.message.bytes of the topic"
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return muster.FailedPrecondition, true, "the topic or partition does not exist; the owner of the group creates it, or look at the prefix"
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID):
		return muster.FailedPrecondition, false, "the topic was deleted and created again; restart to have it checked"
	case errors.Is(err, kerr.UnsupportedVersion), errors.Is(err, kerr.UnsupportedForMessageFormat):
		return muster.FailedPrecondition, false, "the brokers are too old; Apache Kafka 4.0 or newer is needed"
	case errors.Is(err, kerr.InvalidReplicationFactor):
		return muster.Unavailable, true, "too few brokers are alive for the replication factor"
	case errors.Is(err, kerr.PolicyViolation):
		return muster.FailedPrecondition, false, "the cluster's policy forbids it; have its operators create the topic"
	case errors.Is(err, kgo.ErrRecordTimeout), errors.Is(err, kgo.ErrRecordRetries), errors.Is(err, kgo.ErrMaxBuffered):
		return muster.Unavailable, true, ""
	}
	if k, is := errors.AsType[*kerr.Error](err); is {
		if k.Retriable {
			return muster.Unavailable, true, ""
		}
		return muster.Internal, false, ""
	}
	if broken(err) {
		return muster.Unavailable, true, nextReach
	}
	return muster.Internal, false, ""
}

func connecting(err error) *ConnectError {
	c, _ := errors.AsType[*ConnectError](err)
	return c
}

const nextReach = "is the address right, does the broker run, and does it advertise an address that this host can reach?"

// dialing tells whether no connection came about.
func dialing(err error) bool {
	op, is := errors.AsType[*net.OpError](err)
	return is && op.Op == "dial"
}

// cutAtOnce tells whether a connection was closed before its first answer.
func cutAtOnce(err error) bool {
	_, is := errors.AsType[*kgo.ErrFirstReadEOF](err)
	return is
}

// broken tells whether err is the connection's fault.
func broken(err error) bool {
	if _, is := errors.AsType[net.Error](err); is {
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || kgo.IsRetryableBrokerErr(err)
}

// malformed is the error for a record that the toolkit wrote but cannot be read: what is wrong and where, and what to do about it.
func malformed(at muster.Position, format string, args ...any) error {
	return &muster.Error{
		Code: muster.DataLoss, Reason: muster.ReasonBadRecord,
		Message: at.String() + ": malformed record: " + fmt.Sprintf(format, args...),
	}
}

// Retriable tells whether the same request may succeed when it is sent again.
func Retriable(err error) bool {
	_, retry, _ := classify(err)
	return retry && !errors.Is(err, kgo.ErrClientClosed)
}
