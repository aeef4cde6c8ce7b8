// Package postgres keeps wrapped data keys in PostgreSQL, in one table that it makes and migrates itself.
//
// [Open] gives a key store, one row for each subject, changed under the lock of that row. Every change is notified to all who watch, by LISTEN and NOTIFY
// inside the transaction, which PostgreSQL delivers in the order of commits; a watch whose connection is lost, or over which a notification of its own does not
// come back, ends and says so. A pooler between the service and PostgreSQL has to keep sessions: LISTEN does not work in transaction mode.
//
// # What erasing reaches
//
// A destroyed key is overwritten at once (level L0). PostgreSQL keeps the old version of the row until VACUUM has run, and in its write-ahead log, replicas, snapshots
// and backups for longer: for those only the destruction of the generation that wrapped it helps (level L2).
package postgres
