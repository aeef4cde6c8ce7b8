package sqldb

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"strconv"

	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/internal/ledger"
)

// Engine says in what databases differ.
type Engine struct {
	// Parameter writes the n-th parameter of a statement, from 1. Nil means a question mark.
	Parameter func(n int) string
	// The types of columns: a text of up to 300 characters that can be part of a key, a text, bytes, and a moment. Time "text" stores moments as RFC 3339.
	Key, Text, Bytes, Time string
	// Begin are statements that each transaction of a batch begins with.
	Begin []string
	// Lock takes a lock until the end of the transaction, before tables are made; empty where making a table locks enough.
	Lock string
	// Single says that one transaction writes at a time, so a batch takes its place at the begin rather than at its first write, which could be too late.
	Single bool
	// Store tells whether an error is a fault of the database or of the way to it, so that no event is charged. Nil means [ByStore].
	Store func(err error) bool
}

// SQLite is the engine for SQLite, whatever the driver.
func SQLite() Engine {
	return Engine{Key: "text", Text: "text", Bytes: "blob", Time: "text", Single: true}
}

// PostgreSQL is the engine for PostgreSQL, with pgx's or another driver whose errors tell their SQLSTATE.
func PostgreSQL() Engine {
	return Engine{
		Parameter: func(n int) string { return "$" + strconv.Itoa(n) },
		Key:       "text", Text: "text", Bytes: "bytea", Time: "timestamptz",
		// A process that hangs does not keep its locks; a broken constraint fails its function and not the commit of all.
		Begin: []string{"set local idle_in_transaction_session_timeout = '2min'", "set constraints all immediate"},
		Lock:  "select pg_advisory_xact_lock(hashtext('muster'))",
	}
}

// ByStore tells whether an error is the database's: a lost connection, a fault with such an SQLSTATE, or one of SQLite's codes for a busy, full,
// read-only or damaged file.
func ByStore(err error) bool {
	if errors.Is(err, projector.ErrStore) || errors.Is(err, projector.ErrFenced) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		return true
	}
	if state := ledger.StateOf(err); state != "" {
		return ledger.ByStore(state)
	}
	var coded interface{ Code() int }
	if errors.As(err, &coded) {
		return byCode(coded.Code())
	}
	return ledger.ByNet(err)
}

// byCode knows SQLite's result codes; the first byte of an extended one is the plain one.
func byCode(code int) bool {
	const (
		perm, busy, locked, noMem, readOnly, ioErr, corrupt, full, cantOpen, protocol, notADB = 3, 5, 6, 7, 8, 10, 11, 13, 14, 15, 26
	)
	switch code & 0xff {
	case perm, busy, locked, noMem, readOnly, ioErr, corrupt, full, cantOpen, protocol, notADB:
		return true
	}
	return false
}

func (e *Engine) store(err error) bool {
	if e.Store != nil {
		return e.Store(err)
	}
	return ByStore(err)
}

func (e *Engine) columns() ledger.Columns {
	return ledger.Columns{Key: e.Key, Text: e.Text, Bytes: e.Bytes, Time: e.Time}
}

// statement writes a statement with this engine's parameters in the place of question marks.
func (e *Engine) statement(sql string) string {
	if e.Parameter == nil {
		return sql
	}
	var out []byte
	n := 0
	for i := range len(sql) {
		if sql[i] != '?' {
			out = append(out, sql[i])
			continue
		}
		n++
		out = append(out, e.Parameter(n)...)
	}
	return string(out)
}
