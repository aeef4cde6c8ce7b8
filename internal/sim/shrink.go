package sim

import "slices"

// Shrink looks for a shorter list of faults with which a run still fails: it leaves out halves, then smaller parts, then single ones, and keeps to
// what fails (delta debugging, after Zeller). It starts at most limit runs. Since a run is not the same each time, a list that it gives has failed,
// and a shorter one may fail too.
func Shrink(faults []int, limit int, fails func([]int) bool) (fewest []int, runs int) {
	fewest = slices.Clone(faults)
	for part := (len(fewest) + 1) / 2; part > 0 && len(fewest) > 0; {
		smaller := false
		for from := 0; from < len(fewest) && runs < limit; {
			without := slices.Delete(slices.Clone(fewest), from, min(from+part, len(fewest)))
			runs++
			if fails(without) {
				fewest, smaller = without, true
			} else {
				from += part
			}
		}
		switch {
		case runs >= limit:
			return fewest, runs
		case part > 1:
			part = (min(part, len(fewest)) + 1) / 2
		case !smaller:
			part = 0 // no single one can be left out
		}
	}
	return fewest, runs
}
