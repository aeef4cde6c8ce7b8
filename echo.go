package muster

// Echoer is a [Codec] that knows what will be decoded of a value it has just encoded, and gives it for less than a decoding: into is filled as
// Decode would fill it from what Encode returns, and the redaction is the one that [Revealer] would tell. The owner of a group folds each event it
// writes as a reader of the journal will, and this saves it the way back.
type Echoer interface {
	Codec
	Echo(dst []byte, place Place, v, into any) (data []byte, contentType string, withheld Redaction, err error)
}

// echoing is the codec by which a decoder asks an [Echoer]: what it decodes is the echo of a value, which it encodes meanwhile.
type echoing struct {
	Echoer
	value       any
	data        []byte
	contentType string
}

// Decode implements [Codec].
func (e *echoing) Decode(place Place, data []byte, into any) error {
	_, err := e.Reveal(place, data, into)
	return err
}

// Reveal implements [Revealer].
func (e *echoing) Reveal(place Place, _ []byte, into any) (r Redaction, err error) {
	e.data, e.contentType, r, err = e.Echo(nil, place, e.value, into)
	return r, err
}
