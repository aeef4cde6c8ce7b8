package projector

import (
	"math/rand/v2"
	"time"
)

// backoff gives the pause after the given number of tries: doubled each time up to top, and the second half of it by chance, so that those who
// failed together do not come back together.
func backoff(first, top time.Duration, tries int) time.Duration {
	d := first
	for n := 1; n < tries && d < top; n++ {
		d *= 2
	}
	d = min(d, top)
	return d/2 + time.Duration(rand.Int64N(int64(d/2)+1))
}
