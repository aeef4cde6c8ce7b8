package ledger

import "errors"

// SQLSTATE is what errors of PostgreSQL and of other databases that follow the standard carry.
type SQLSTATE interface{ SQLState() string }

// StateOf gives the state an error carries; empty when it has none.
func StateOf(err error) string {
	var with SQLSTATE
	if errors.As(err, &with) {
		return with.SQLState()
	}
	return ""
}

// The states this package's users ask for by name.
const (
	DivisionByZero = "22012" // how a statement of ours says that it found no row
	Aborted        = "25P02" // a statement failed before in this transaction
	NoRight        = "42501"
)

// ByStore tells whether a state is a fault of the database or of how it is set up, so that no event is to blame: by class of PostgreSQL's
// appendix A, and some states out of mixed classes.
func ByStore(state string) bool {
	if len(state) != 5 {
		return false
	}
	switch state {
	case "57014": // a statement limit: the statement of an event took too long, like a deadline
		return false
	case "25006", // read-only: a standby, or a database that is being moved
		"25P03", "25P04", // an idle or transaction limit ended the session
		NoRight,          // a right is missing: no event would get further, and none is lost by waiting for the GRANT
		"55P03", "55006", // a lock was not free in time
		"3D000", // the database is not there
		"26000": // a pooler lost a prepared statement
		return true
	}
	switch state[:2] {
	case "08", // connection
		"28", // the login is refused
		"40", // serialization, deadlock
		"53", // disk full, out of memory, too many connections
		"57", // shutdown, crash, starting up
		"58", // I/O
		"F0", // configuration
		"XX": // internal, corrupted
		return true
	}
	return false
}
