package producer_test

import (
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster/producer"
)

// Each claim has a client of its own, so what TestFirstCommitsOfAClientAreCommits guards against could meet each claim: a first write that is
// reported as a commit and is none.
func TestFirstWritesOfAClaimAreCommits(t *testing.T) {
	const rounds = 60
	b := newBed(t, 1)
	log := kgo.WithLogger(kgo.BasicLogger(&queue{}, kgo.LogLevelDebug, nil))
	l := b.ledger(func(c *producer.LedgerConfig) { c.Kafka.Options = append(c.Kafka.Options, log) })
	for round := range rounds {
		s := b.claim(l)
		for i := range 2 {
			want(t, s.Write(t.Context(), next(int64(2*round+i+1)), said(strconv.Itoa(2*round+i))), nil)
		}
		s.Close()
	}
	if ids, at := b.seen(); len(ids) != 2*rounds || at != 2*rounds {
		t.Errorf("%d of %d publications are visible, checkpoint %d", len(ids), 2*rounds, at)
	}
}
