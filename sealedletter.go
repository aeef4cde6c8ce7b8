package muster

import (
	"bytes"
	"fmt"
)

// bury makes a command a dead letter. A sealed payload is kept as it came; one that came in clear and that nobody could decode may hold anything, so
// where payloads are sealed it is sealed as a whole.
func (r *Round) bury(i int, cause *Error) {
	cmd, d := &r.batch.Commands[i], &r.decided[i]
	d.dead, d.sealed = cause, nil
	if _, seals := r.p.codec.(Sealer); !seals || letterInClear || cmd.ContentType == ContentSealed || len(cmd.Payload) == 0 || decoded(cmd, cause) {
		return
	}
	data, _, err := r.p.codec.Encode(nil, letterPlace(cmd), Raw(wholeLetter(cmd)))
	switch {
	case err == nil:
		d.sealed = &sealedLetter{data, contentSealedLetter}
	case PayloadFaultOf(err).Passing():
		r.fail(&PayloadWait{Partition: cmd.Partition, Cause: err})
	default:
		without := *cause
		without.Message = fmt.Sprintf("%s; its payload could not be sealed and is left out: %v", cause.Message, err)
		d.dead, d.sealed = &without, &sealedLetter{[]byte{}, cmd.ContentType}
	}
}

// sealedLetter stands in a dead letter in place of a payload that came in clear.
type sealedLetter struct {
	payload     []byte
	contentType string
}

// decoded tells that the payload of a command was understood before it failed.
func decoded(cmd *Command, cause *Error) bool {
	return cmd.Fault == nil && cause.Reason != ReasonUndecodable && cause.Reason != ReasonNoHandler
}

// letter gives the command as it lies in the dead letter.
func (d *decided) letter(cmd *Command) Command {
	buried := *cmd
	if d.sealed != nil {
		buried.Payload, buried.ContentType = d.sealed.payload, d.sealed.contentType
	}
	return buried
}

// wholeLetter is what is sealed of a command: content type, a zero byte, payload.
func wholeLetter(cmd *Command) []byte {
	return append(append([]byte(cmd.ContentType), 0), cmd.Payload...)
}

func letterPlace(cmd *Command) Place {
	return Place{Purpose: PurposeDeadLetter, Group: cmd.Group, Type: cmd.Type, AggregateID: cmd.AggregateID, MessageID: cmd.ID}
}

// OpenLetter gives the command of a dead letter as it arrived: where its payload came in clear and was sealed as a whole, it is opened. Any other
// command is left as it is, sealed parts too. The error says why it cannot be opened.
func OpenLetter(codec Codec, cmd *Command) error {
	if cmd.ContentType != contentSealedLetter {
		return nil
	}
	place := letterPlace(cmd)
	place.ContentType = ContentSealed
	inner, err := valueOf[Raw]{}.whole(codec, place, cmd.Payload)
	if err != nil {
		return refuseFault(err, InvalidArgument, ReasonUndecodable, "a letter that was sealed as a whole: %v", err)
	}
	contentType, payload, found := bytes.Cut(inner.(Raw), []byte{0})
	if !found {
		return refuse(InvalidArgument, ReasonSealedFormat, "a letter that was sealed as a whole: what is inside does not begin with a content type")
	}
	cmd.ContentType, cmd.Payload = string(contentType), payload
	return nil
}
