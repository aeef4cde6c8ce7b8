package journal_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/journal"
)

// A store that is written to all the time keeps a bounded number of write-ahead logs: those whose rows are in tables are used again, or go.
func TestLogsDoNotPileUp(t *testing.T) {
	cfg := journal.Config{Dir: t.TempDir(), WriteBufferBytes: 64 << 10, CacheBytes: 4 << 20}
	g := openGroup(t, open(t, cfg))
	openPartition(t, g, 0)
	data := make([]byte, 8<<10)
	for n := range 400 {
		mustStore(t, g, muster.Changes{Next: int64(n + 1), Time: noon.Add(time.Duration(n) * time.Second), States: []muster.StoredState{
			{AggregateID: fmt.Sprintf("agg-%d", n%10), Revision: uint64(n + 1), Offset: int64(n), Data: data},
		}})
	}
	// Its 50 logs and more are written out one after the other; at most four of them wait for that at a time.
	if logs, err := filepath.Glob(filepath.Join(cfg.Dir, "*.log")); err != nil || len(logs) == 0 || len(logs) > 10 {
		t.Errorf("%d logs are left, %v", len(logs), err)
	}
}
