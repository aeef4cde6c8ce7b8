package history

import (
	"maps"
	"slices"
)

// rest is I10.
func (c *check) rest() {
	end := c.r.End
	for i := range c.r.Calls {
		call := &c.r.Calls[i]
		ended, from := call.Answered, call.Sent
		if ended.IsZero() {
			ended = call.GivenUp
		}
		if end.FaultsEnded.After(from) {
			from = end.FaultsEnded
		}
		switch {
		case ended.IsZero():
			c.fault("command %s of %s never ended", call.ID, call.Caller)
		case ended.After(from.Add(end.Within)):
			c.fault("command %s of %s ended %v after the faults and its sending; %v is the bound", call.ID, call.Caller, ended.Sub(from), end.Within)
		}
	}
	for _, of := range slices.Sorted(maps.Keys(end.Lag)) {
		if end.Lag[of] != 0 {
			c.fault("%s lags by %d at rest", of, end.Lag[of])
		}
	}
	for _, left := range end.Goroutines {
		c.fault("a goroutine is left: %s", left)
	}
}
