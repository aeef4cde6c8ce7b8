package projector

import (
	"errors"
	"fmt"

	"github.com/seed-3eec0498/muster"
)

// The reasons of events that the codec could not read, or of which it withheld something. A shard waits, stops, or puts the event aside.
const (
	ReasonKeyUnavailable = muster.ReasonKeyUnavailable // a key cannot be had now: the shard waits, and its checkpoint stays
	ReasonKeyMissing     = muster.ReasonKeyMissing     // a key does not exist, and nothing says that it was destroyed: the shard stops
	ReasonSealedFormat   = muster.ReasonSealedFormat   // the payload is sealed in a way that this build does not know: the shard stops
	ReasonTampered       = muster.ReasonTampered       // the payload is not what was sealed there: the event is parked, whatever policies say
	ReasonNoAccess       = muster.ReasonNoAccess       // this process has no right to a key it cannot do without: the shard waits
	ReasonErased         = muster.ReasonErased         // fields are withheld, and OnRedacted wants something done about it
)

// OnRedacted says what happens with an event of which something is withheld: because its subject was erased, or because this process has no right to
// read it. By default the functions get it with these fields absent, and [muster.Meta].Redaction tells which; a view sees erased people like that, and
// its functions must bear it. Ignore passes such events over, Park, Skip and Stop put them aside or stop the shard. It concerns functions for
// decoded events only: [OnOthers] gets them as they lie in the journal.
func OnRedacted(o Outcome) Option { return policyFor(Policy{Tries: 1, Then: o}, ReasonErased) }

// redacted is what a policy makes of a redaction.
type redacted struct{ error }

var errRedacted = &redacted{errors.New("fields of the event are withheld")}

func (d *Definition) redacted(r muster.Redaction) error {
	if _, wanted := d.failures[ReasonErased]; !wanted || r.Access == muster.AccessOpen {
		return nil
	}
	return errRedacted
}

// sealed classifies what a function gave where the codec is behind it; nil where it is not. A key that is away is nobody's fault, so the event waits for
// it as long as it takes; one that is missing stops the shard, for taking it for destroyed would be the worst mistake there is.
func sealed(err error) *failure {
	class := muster.PayloadFaultOf(err)
	_, own := errors.AsType[*undecodable](err) // the function has not run
	switch {
	case class.Passing():
		return &failure{class.Reason(), ToWait(err)}
	case class == muster.FaultMissing, class == muster.FaultFormat, class == muster.FaultTampered && own:
		return &failure{class.Reason(), err}
	}
	if _, is := errors.AsType[*redacted](err); is {
		return &failure{ReasonErased, err}
	}
	return nil
}

// rowFault says what an error of the codec means for a row of a view. One that is not what was sealed counts as damage: its shard is built anew.
func rowFault(err error) error {
	switch class := muster.PayloadFaultOf(err); {
	case class.Passing():
		return err
	case class == muster.FaultTampered:
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return decodingFault(err)
}
