package service

import "fmt"

// Recovery says how the state of partitions comes back when it is not in DataDir, and what is kept for that. The zero value is usable.
type Recovery struct {
	// Memory is how many bytes the recoveries of one group use together to fold the journal before they write out what they have. Zero
	// means 128 MiB.
	Memory int64

	// BulkFrom is from how many journal offsets behind a partition is folded in memory and written as sorted tables, past the log of
	// the local store; below that it is stored piece by piece. Zero means 20,000; a negative value means never.
	BulkFrom int

	// SnapshotEvery is after how many journal offsets of a partition its changed states are written to the snapshots topic, in the
	// background; a clean stop writes them, too. Zero means 100,000; a negative value means that no snapshots are written. What is
	// there is read all the same.
	SnapshotEvery int
}

// recoveries is how many partitions of a group are recovered at once.
const recoveries = 4

func (r *Recovery) validate(fault func(format string, args ...any)) {
	if r.Memory < 0 || r.Memory > 0 && r.Memory < 1<<20 {
		fault("Recovery.Memory is %d bytes; zero means 128 MiB, else at least 1 MiB", r.Memory)
	}
}

func (r *Recovery) memory() int64        { return orDefault(r.Memory, 128<<20) / recoveries }
func (r *Recovery) snapshotEvery() int64 { return int64(orDefault(r.SnapshotEvery, 100_000)) }

// bulk tells whether so many offsets are folded in memory.
func (r *Recovery) bulk(offsets int64) bool {
	from := int64(orDefault(r.BulkFrom, 20_000))
	return from >= 0 && offsets >= from
}

// RecoveryProgress is how far the recovery of a partition is.
type RecoveryProgress struct {
	Stage     string  // what is read: "snapshots" or "journal"
	Done      int64   // records read of the snapshots, offsets passed of the journal
	Total     int64   // of which there are; 0 while that is not known
	PerSecond float64 // since the stage began
	Left      float64 // seconds, at that rate; 0 while that is not known
}

// String gives "41 % of the journal, 1200000 of 3000000, 85000/s, 21 s left".
func (p RecoveryProgress) String() string {
	if p.Total == 0 {
		return fmt.Sprintf("%d %s read", p.Done, p.Stage)
	}
	return fmt.Sprintf("%d %% of the %s, %d of %d, %.0f/s, %.0f s left", 100*p.Done/p.Total, p.Stage, p.Done, p.Total, p.PerSecond, p.Left)
}
