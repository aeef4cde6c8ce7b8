package projector_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-3eec0498/muster/projector"
)

// The order in which a batch is written is that of the bytes of its keys, whatever they have in common and however they end.
func TestRowsAreWrittenInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		begins := rapid.SampledFrom([]string{"", "account-", "\x00", "\x00\x00"}).Draw(rt, "begins")
		ends := rapid.SliceOfDistinct(rapid.StringOfN(rapid.SampledFrom([]rune{0, 'a', 'b', 'é', '\U0010FFFF'}), 0, 12, -1), rapid.ID[string]).Draw(rt, "ends")
		keys := make([]string, len(ends))
		for i, end := range ends {
			keys[i] = begins + end
		}
		got := projector.InOrder(keys)
		slices.Sort(keys)
		if !slices.Equal(got, keys) {
			rt.Fatalf("written as %q, their order is %q", got, keys)
		}
	})
}
