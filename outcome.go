package muster

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Outcome is the outcome of a command as it travels to the caller, lies in the dedup rows and on the command's last event.
type Outcome struct {
	CommandID   string // the record key of a reply; not part of the encoded form
	Code        Code
	Reason      string
	Message     string
	Details     []*anypb.Any
	Retry       bool
	ContentType string
	Payload     []byte // the encoded result; nil with a refusal

	Revision uint64   // of the aggregate after the command
	Position Position // of the command's last event; zero when it wrote none

	Repeated bool      // this command id was answered before, and this is that answer
	Deadline time.Time // not zero: only for the sending of the command with this deadline, see [Reply]; not part of the encoded form
	Omitted  bool      // the result was over 64 KiB and not stored: a repeat gets outcome, revision and position only
}

// Err gives the refusal as an error, nil when the code is OK.
func (a *Outcome) Err() error {
	if a.Code == OK {
		return nil
	}
	return &Error{Code: a.Code, Reason: a.Reason, Message: a.Message, Details: a.Details, Retry: a.Retry, Remote: true, CommandID: a.CommandID}
}

// Field numbers of an encoded outcome. 1 to 3 are those of google.rpc.Status, so that any gRPC library reads the status.
//
//	message Outcome {
//	  int32 code = 1; string message = 2; repeated google.protobuf.Any details = 3;
//	  uint32 format = 4;          // 1; a reader refuses a higher one by name
//	  string reason = 5; bool retry = 6; string content_type = 7; bytes payload = 8;
//	  uint64 revision = 9; string topic = 10; int32 partition = 11; int64 offset = 12;
//	  bool repeated = 13; bool omitted = 14;
//	}
const (
	outcomeCode        = 1
	outcomeMessage     = 2
	outcomeDetails     = 3
	outcomeFormat      = 4
	outcomeReason      = 5
	outcomeRetry       = 6
	outcomeContentType = 7
	outcomePayload     = 8
	outcomeRevision    = 9
	outcomeTopic       = 10
	outcomePartition   = 11
	outcomeOffset      = 12
	outcomeRepeated    = 13
	outcomeOmitted     = 14
)

// outcomeFormatOne is the first format: 0.1.
const outcomeFormatOne = 1

// Encode appends the wire form of a to dst.
func (a *Outcome) Encode(dst []byte) []byte {
	message := a.Message
	if len(message) > maxAnswerMessage {
		message = message[:maxAnswerMessage]
	}
	message = strings.ToValidUTF8(message, "")
	dst = appendVarint(dst, outcomeCode, uint64(a.Code))
	dst = appendBytes(dst, outcomeMessage, message)
	for _, d := range a.Details {
		packed, err := proto.Marshal(d)
		if err != nil {
			continue // an Any holds bytes and a name only; it cannot fail unless the name is no UTF-8
		}
		dst = protowire.AppendTag(dst, outcomeDetails, protowire.BytesType)
		dst = protowire.AppendBytes(dst, packed)
	}
	dst = appendVarint(dst, outcomeFormat, outcomeFormatOne)
	dst = appendBytes(dst, outcomeReason, a.Reason)
	dst = appendFlag(dst, outcomeRetry, a.Retry)
	dst = appendBytes(dst, outcomeContentType, a.ContentType)
	dst = appendBytes(dst, outcomePayload, a.Payload)
	dst = appendVarint(dst, outcomeRevision, a.Revision)
	dst = appendBytes(dst, outcomeTopic, a.Position.Topic)
	dst = appendVarint(dst, outcomePartition, uint64(uint32(a.Position.Partition)))
	dst = appendVarint(dst, outcomeOffset, uint64(a.Position.Offset))
	dst = appendFlag(dst, outcomeRepeated, a.Repeated)
	return appendFlag(dst, outcomeOmitted, a.Omitted)
}

// DecodeOutcome reads what [Outcome.Encode] wrote. Payload and details share memory with b. Unknown fields are passed over.
func DecodeOutcome(b []byte) (*Outcome, error) {
	a := &Outcome{}
	format := uint64(0)
	for len(b) > 0 {
		field, wire, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil, fmt.Errorf("outcome: %w", protowire.ParseError(n))
		}
		b = b[n:]
		var number uint64
		var text []byte
		switch wire {
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			text, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(field, wire, b)
		}
		if n < 0 {
			return nil, fmt.Errorf("outcome: field %d: %w", field, protowire.ParseError(n))
		}
		b = b[n:]
		if field == outcomeFormat {
			format = number
		}
		if err := a.set(field, wire, number, text); err != nil {
			return nil, err
		}
	}
	if format != outcomeFormatOne {
		return nil, fmt.Errorf("outcome: format %d; this build reads format %d, a newer one is needed", format, outcomeFormatOne)
	}
	return a, nil
}

func (a *Outcome) set(field protowire.Number, wire protowire.Type, number uint64, text []byte) error {
	switch {
	case wire == protowire.VarintType:
		switch field {
		case outcomeCode:
			a.Code = Code(number)
		case outcomeRetry:
			a.Retry = number != 0
		case outcomeRevision:
			a.Revision = number
		case outcomePartition:
			a.Position.Partition = int32(number)
		case outcomeOffset:
			a.Position.Offset = int64(number)
		case outcomeRepeated:
			a.Repeated = number != 0
		case outcomeOmitted:
			a.Omitted = number != 0
		}
	case wire == protowire.BytesType:
		switch field {
		case outcomeMessage:
			a.Message = string(text)
		case outcomeDetails:
			d := &anypb.Any{}
			if err := proto.Unmarshal(text, d); err != nil {
				return fmt.Errorf("outcome: details: %w", err)
			}
			a.Details = append(a.Details, d)
		case outcomeReason:
			a.Reason = string(text)
		case outcomeContentType:
			a.ContentType = string(text)
		case outcomePayload:
			a.Payload = text
		case outcomeTopic:
			a.Position.Topic = string(text)
		}
	}
	return nil
}

func appendVarint(dst []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return dst
	}
	return protowire.AppendVarint(protowire.AppendTag(dst, field, protowire.VarintType), v)
}

func appendBytes[T ~string | ~[]byte](dst []byte, field protowire.Number, v T) []byte {
	if len(v) == 0 {
		return dst
	}
	dst = protowire.AppendTag(dst, field, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(len(v)))
	return append(dst, v...)
}

func appendFlag(dst []byte, field protowire.Number, v bool) []byte {
	if !v {
		return dst
	}
	return appendVarint(dst, field, 1)
}

func outcomeOf(refusal *Error) *Outcome {
	return &Outcome{Code: refusal.Code, Reason: refusal.Reason, Message: refusal.Message, Details: refusal.Details, Retry: refusal.Retry}
}
