// Package ledger holds what SQL targets share: the tables in which the toolkit keeps epochs, checkpoints and letters, the bytes of a letter, and the
// rules that tell a fault of the database from one of an event.
package ledger
