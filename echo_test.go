package muster_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/seed-3eec0498/muster"
)

// echoer is a codec that echoes; it counts the events it decodes.
type echoer struct {
	muster.PlainCodec
	decoded int
	err     error
}

func (c *echoer) Echo(dst []byte, place muster.Place, v, into any) ([]byte, string, muster.Redaction, error) {
	data, content, err := c.Encode(dst, place, v)
	if err == nil {
		err = c.PlainCodec.Decode(place, data[len(dst):], into)
	}
	return data, content, muster.Redaction{}, errors.Join(err, c.err)
}

func (c *echoer) Decode(place muster.Place, data []byte, into any) error {
	if place.Purpose == muster.PurposeEvent {
		c.decoded++
	}
	return c.PlainCodec.Decode(place, data, into)
}

// An owner whose codec echoes folds what it writes without decoding it. A replay decodes, and comes to the same state.
func TestEventsAreFoldedFromTheirEcho(t *testing.T) {
	codec := &echoer{}
	w := newWorld(t, newBank().Account.Behaviour())
	w.config.Codec = codec
	w.restart()
	f := w.do(command("open", "acc-1", "c1", order{}), command("deposit", "acc-1", "c2", order{Amount: 3}), command("deposit", "acc-1", "c3", order{Amount: 4}))
	if len(f.decision.Events) != 3 || codec.decoded != 0 {
		t.Fatalf("%d events, of which %d were decoded", len(f.decision.Events), codec.decoded)
	}
	lived, revision := w.state("acc-1")
	w.rebuild(10)
	if again, at := w.state("acc-1"); codec.decoded != 3 || !reflect.DeepEqual(again, lived) || at != revision || lived.Balance != 7 {
		t.Errorf("%d were decoded by a replay; it comes to %+v at %d, the owner to %+v at %d", codec.decoded, again, at, lived, revision)
	}
}

// What an echo cannot give refuses the command, as what cannot be decoded does.
func TestAnEchoThatFailsRefusesTheCommand(t *testing.T) {
	w := newWorld(t, newBank().Account.Behaviour())
	w.config.Codec = &echoer{err: errors.New("broken")}
	w.restart()
	f := w.do(command("open", "acc-1", "c1", order{}))
	if outcome := f.outcome(t, "c1", 0); len(f.decision.Events) != 0 || outcome.Code != muster.Internal {
		t.Errorf("%d events, outcome %v", len(f.decision.Events), outcome.Code)
	}
}
