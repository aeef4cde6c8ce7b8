package history

import (
	"errors"
	"fmt"

	"github.com/seed-3eec0498/muster"
)

// invariant is one named check.
type invariant struct {
	name  string
	needs func(*Record, *Contract) bool
	check func(*check)
}

// invariants in the order in which they are checked. The first two sort events and calls for those that follow.
var invariants = []invariant{
	{"I3", hasJournal, (*check).revisions},
	{"I4", hasJournal, (*check).order},
	{"I2", hasJournal, (*check).effects},
	{"I1", hasJournal, (*check).acknowledged},
	{"I5", func(r *Record, c *Contract) bool { return r.Journal != nil && r.Stored != nil && c.Fold != nil }, (*check).stored},
	{"I6", func(r *Record, _ *Contract) bool { return r.Journal != nil && r.Queries != nil }, (*check).linearizable},
	{"I7", func(r *Record, c *Contract) bool { return r.Journal != nil && r.Views != nil && c.Rows != nil }, (*check).views},
	{"I8", func(r *Record, c *Contract) bool { return r.Journal != nil && c.Mark != nil }, (*check).marks},
	{"I9", hasJournal, (*check).refusals},
	{"I10", func(r *Record, _ *Contract) bool { return r.End != nil }, (*check).rest},
	{"I11", func(r *Record, _ *Contract) bool { return r.Secrets != nil }, (*check).secrets},
	{"I12", func(r *Record, _ *Contract) bool { return r.Erasures != nil }, (*check).erased},
}

func hasJournal(r *Record, _ *Contract) bool { return r.Journal != nil }

// Invariants gives the names of those that the record has the dumps for. A test that means to hold one asks, so that it does not pass for
// want of a dump.
func (r *Record) Invariants(c Contract) (names []string) {
	for _, i := range invariants {
		if i.needs(r, &c) {
			names = append(names, i.name)
		}
	}
	return names
}

// Check makes all checks for which there are dumps. Each violation is one error, which begins with the name of the invariant; nil: none was
// found.
func (r *Record) Check(contract Contract) error {
	_, err := r.Count(contract)
	return err
}

// Count is [Record.Check] that also says how many violations of each invariant there are. Not all of many are in the error.
func (r *Record) Count(contract Contract) (violations map[string]int, err error) {
	c := &check{r: r, contract: &contract, byCommand: map[string][]muster.Event{}, byAggregate: map[string][]muster.Event{}, first: map[string]*Call{}, violations: map[string]int{}}
	for _, i := range invariants {
		if i.needs(r, &contract) {
			c.name = i.name
			i.check(c)
		}
	}
	more := -len(c.faults)
	for _, n := range c.violations {
		more += n
	}
	if more > 0 {
		c.faults = append(c.faults, fmt.Errorf("and %d further violations", more))
	}
	return c.violations, errors.Join(c.faults...)
}

// Check holds calls against the journal: I1 to I4 and I9, as far as these two tell.
func Check(calls []Call, j *Journal) error {
	return (&Record{Calls: calls, Journal: j}).Check(Contract{})
}

// reported bounds the violations that are spelt out: one fault can break thousands of records.
const reported = 20

// check is one run over a record.
type check struct {
	r           *Record
	contract    *Contract
	name        string                    // of the invariant that is being checked
	byCommand   map[string][]muster.Event // in log order
	byAggregate map[string][]muster.Event // likewise
	first       map[string]*Call          // by command id: the first answer
	faults      []error
	violations  map[string]int // by the name of the invariant
}

func (c *check) fault(format string, args ...any) {
	if c.violations[c.name]++; len(c.faults) < reported {
		c.faults = append(c.faults, fmt.Errorf(c.name+": "+format, args...))
	}
}
