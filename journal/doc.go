// Package journal keeps the state of the partitions that a process owns: aggregates folded from the journal, the answers to recent
// commands, and how far the journal has been folded. It is a cache with a memory: it holds what is committed and nothing else, and it may
// be lost at any time, since the journal is the truth.
//
// # One batch, from end to end
//
// A lane has committed its transaction. [GroupStore.Store] gets the [muster.Changes] of its partitions: new states, answers, the journal
// offset next to read. They become one Pebble batch. It goes to the write-ahead log, that is to the operating system, and into a write
// buffer in memory; the command ids go into the partition's window, which says in front of each later command whether its id can have been
// seen before. Store returns, the replies are sent. Later, without anybody waiting, the write buffer is sorted and written out as a table.
//
// The next command of an aggregate asks [GroupStore.Answered], which answers "no" from memory, and [GroupStore.Load], which finds the
// state in a write buffer, in the block cache or on disk.
//
// # A partition comes and goes
//
// [GroupStore.Open] finds the rows where they were left and gives the [Checkpoint]; the owner compares it with the journal and folds what
// came since. Rows of another topic, of a newer build or with damage are wiped, loudly, and the checkpoint is 0. [GroupStore.Release]
// keeps the rows warm for the case that the partition comes back; [GroupStore.Expire] ends that.
//
// # If the process or the machine dies
//
//	kill -9 after Store returned      everything is there
//	kill -9 inside Store              the batch is there as a whole or not at all
//	power cut                         the newest batches may be gone, the older ones are whole: states, answers and offset of a
//	                                  partition agree, and the journal is read again from that offset
//	log cut off, table damaged        found by checksums: at Open the directory is moved aside to <dir>.corrupt-<n> and begun anew; while
//	                                  open the call answers [ErrCorrupt], the partition can be [GroupStore.Reset] and go on, and the next
//	                                  Open begins anew
//	disk full, disk failing           Store answers [ErrFull] or [ErrStore]; the process goes on
//	a second process                  Open answers [ErrLocked]
//
// # Layout
//
// One Pebble store per process holds all groups and partitions; key.go draws the keys, state.go, meta.go and answers.go the rows, format.go
// numbers the whole and has the history. A kind of rows for timers is reserved.
//
// # A long stretch at once
//
// [GroupStore.Ingest] takes the changes of a long stretch of the journal as one sorted table, past log and write buffer, checkpoint and all.
// [GroupStore.LoadSnapshots] and [GroupStore.EndSnapshots] do so with states from snapshots, and [GroupStore.Changed] finds what the next snapshots
// must have.
package journal
