package history

import (
	"io"
	"time"

	"github.com/seed-3eec0498/muster"
)

// Record is what was written down of one run. Every part may be missing; then the checks that need it are not made.
type Record struct {
	Calls   []Call
	Queries []Query
	Journal *Journal // at rest, before the cleaner ran

	Cleaned *Journal          // the same journal after the cleaner ran
	Removed map[string]uint64 // by aggregate: the highest revision that a tombstone names

	Commands map[string][]muster.Position // by command id: where the command topic has it
	Consumed []muster.Progress            // of the command topic, as the group has committed it

	Stored  []Stored
	Views   []View
	Letters []muster.DeadLetter

	End     *End
	Secrets []string // what must appear in no place
	Places  []Place

	Erasures []Erasure
	Probes   []Probe
}

// Contract is what only the test knows: what payloads mean. Each function is called after the run, on one goroutine.
type Contract struct {
	Tenant      string
	Partitioned func(aggregate string) int32 // where the events of an aggregate belong

	Mark func(payload []byte) (Mark, error)                    // of an event
	Fold func(events []muster.Event) (state []byte, err error) // of one aggregate, encoded as the owner stores it
	Show func(state []byte) (answer string, err error)         // a state as the answers to queries are recorded; nil state: none yet

	// Rows folds the journal into the rows of a view, by its name. Events of a partition come in log order.
	Rows map[string]func(events []muster.Event) (map[string]string, error)
}

// Stored is what an owner has stored of one partition.
type Stored struct {
	Owner     string
	Partition int32
	Next      int64 // the journal is folded in below it
	States    []muster.StoredState
}

// View is a read model, whole.
type View struct {
	Name       string
	Instance   string
	Checkpoint []int64           // by partition: the journal is applied below it
	Rows       map[string]string // as [Contract.Rows] gives them
}

// End is how the run came to rest.
type End struct {
	FaultsEnded time.Time
	Within      time.Duration    // session and transaction timeout, and a margin
	Lag         map[string]int64 // by group or projection, once all calls had ended
	Goroutines  []string         // what was left of the program under test
}

// Place is a file, a topic, a log or a scrape, to be searched.
type Place struct {
	Name string
	Open func() (io.ReadCloser, error)
}

// Erasure is a subject whose keys were destroyed.
type Erasure struct {
	Subject string
	Told    time.Time     // when the erasure was acknowledged
	Within  time.Duration // the bound S: for so long a cached key may still open
}

// Probe is one attempt to read what belongs to a subject.
type Probe struct {
	Subject string
	Where   string // what was read, the same for the same thing
	At      time.Time
	Opened  bool
	Content string // what was read in clear
}
