package service_test

import (
	"fmt"
	"os"
	"testing"
)

// Three owners leave and come back in turn, 100 changes of the membership, 20 on real brokers without MUSTER_SOAK, while callers ask and retry: they see no error,
// nothing is lost or doubled, and the order holds.
func TestRebalanceUnderLoad(t *testing.T) {
	r := newRun(t, anyBrokers(t), 12, 2)
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	owners := make([]*running, len(dirs))
	for i := range owners {
		owners[i] = start(t, r.ownerConfig(fmt.Sprintf("owner-%d", i), dirs[i]), r.owner())
	}
	stop := r.steady(12, 40)
	turns := 50
	if testing.Short() || os.Getenv("MUSTER_BROKERS") != "" && os.Getenv("MUSTER_SOAK") == "" {
		turns = 10
	}
	for turn := range turns {
		i := turn % len(owners)
		owners[i].end() // leaves
		r.awaitAnswers(30)
		owners[i] = start(t, r.ownerConfig(fmt.Sprintf("owner-%d", i), dirs[i]), r.owner()) // joins, and has partitions again
		r.awaitAnswers(30)
	}
	stop()
	r.report()
	j := r.verify()
	for i, owner := range owners {
		owner.end()
		r.wantStore(dirs[i], j)
	}
}
