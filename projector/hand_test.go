package projector_test

import (
	"context"
	"sync"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// A function may return while the watchdog, or who gives the shard up, looks at what it is about. Its event lies in memory that the next one is written to:
// what is seen is one of them, whole. The race detector sees the rest.
func TestWhatIsInHandIsSeenWhole(t *testing.T) {
	var hand projector.Hand
	ev := &muster.Event{}
	ctx, end := context.WithCancel(t.Context())
	var looking sync.WaitGroup
	seen := map[string]int64{}
	looked := make(chan string, 1)
	looking.Go(func() {
		for ctx.Err() == nil {
			if typ, at, runs := hand.Seen(); runs {
				if typ == "" || at.Offset != int64(len(typ)) {
					t.Errorf("seen: %q at %v", typ, at)
				}
				seen[typ]++
				select {
				case looked <- typ:
				default:
				}
			}
		}
	})
	for i := range 200 {
		typ := "even"
		if i%2 == 1 {
			typ = "uneven"
		}
		ev.Type, ev.Offset = typ, int64(len(typ))
		hand.Run(ctx, ev, func() {
			for i < 2 && typ != <-looked { // so that both are seen for sure; the others return when they like
				continue
			}
		})
	}
	end()
	looking.Wait()
	if seen["even"] == 0 || seen["uneven"] == 0 || len(seen) > 2 {
		t.Errorf("seen: %v", seen)
	}
}
