package main

import "math"

// A series is flat when the straight line through its second half rises, over that half, by no more than a tenth of its mean, or by no more than an
// amount below which growth means nothing. The first half is for caches to fill and windows to pass. A series that falls is flat.
const flatShare = 0.1

// fit is the straight line through the second half of a series, and what became of it.
type fit struct {
	Mean   float64 `json:"mean"`
	Rise   float64 `json:"rise"`  // of the line, from the middle of the run to its end
	Bound  float64 `json:"bound"` // the most it may rise
	Flat   bool    `json:"flat"`
	slope  float64 // per second
	middle float64 // seconds at which the line is at Mean
}

// fitted draws the line through the second half by least squares. Times are in seconds and rise.
func fitted(times, values []float64, floor float64) fit {
	half := len(times) / 2
	times, values = times[half:], values[half:]
	f := fit{}
	n := float64(len(times))
	for i := range times {
		f.middle += times[i] / n
		f.Mean += values[i] / n
	}
	above, below := 0.0, 0.0
	for i := range times {
		above += (times[i] - f.middle) * (values[i] - f.Mean)
		below += (times[i] - f.middle) * (times[i] - f.middle)
	}
	if below > 0 {
		f.slope = above / below
	}
	f.Rise = f.slope * (times[len(times)-1] - times[0])
	f.Bound = math.Max(flatShare*f.Mean, floor)
	f.Flat = f.Rise <= f.Bound
	return f
}

// at gives the line's value.
func (f *fit) at(time float64) float64 { return f.Mean + f.slope*(time-f.middle) }
