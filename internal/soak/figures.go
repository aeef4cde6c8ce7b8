//go:build linux

package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/seed-3eec0498/muster/internal/history"
)

// figures is what a run came to.
type figures struct {
	Seed      uint64
	Seconds   float64 // from the first call to the last answer
	Calls     int     // commands, those asked for again by somebody else as well
	Attempts  int
	Acked     int // with success
	Refused   int // as was ordered
	Abandoned int // asked for once, and not waited for
	Queries   int
	Unknown   int64 // attempts of which the caller was not told what became
	Expired   int   // attempts that were read too late, and are dead letters
	Events    int

	Lost       int            // I1
	Doubled    int            // I2
	OutOfOrder int            // I3, I4
	Violations map[string]int // by invariant, those as well
	Checked    []string       // the invariants there were dumps for

	LongestStall span   // of any caller, between two answers
	Staller      string // who it was
	StallBegan   span   // from the first call to its beginning

	Faults map[string]recovery // by kind
}

// span is a time, in seconds to the millisecond in JSON.
type span time.Duration

func (s span) String() string { return time.Duration(s).Round(time.Millisecond).String() }

// of gives the time, or a hyphen when there was nothing to measure.
func (s span) of(measured int) string {
	if measured == 0 {
		return "-"
	}
	return s.String()
}

// MarshalJSON writes seconds.
func (s span) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%.3f", time.Duration(s).Seconds()), nil
}

// recovery is how long partitions were without an answer after faults of one kind.
type recovery struct {
	Class    class
	Count    int
	Measured int  // those that touched a partition
	Median   span // from the beginning of a fault to when every partition it touched had answered a call sent after that
	Longest  span
	Alone    int  // those of the measured during which the other hand kept still
	Slowest  span // of those alone
}

// count fills in what follows from the calls.
func (f *figures) count(calls []history.Call, queries []history.Query, began, ended time.Time) {
	f.Calls, f.Seconds = len(calls), ended.Sub(began).Seconds()
	answers := map[string][]time.Time{}
	for i := range calls {
		c := &calls[i]
		f.Attempts += c.Attempts
		switch {
		case c.Answered.IsZero():
			f.Abandoned++
			continue
		case c.Refused:
			f.Refused++
		default:
			f.Acked++
		}
		answers[c.Caller] = append(answers[c.Caller], c.Answered)
	}
	for i := range queries {
		if q := &queries[i]; !q.Answered.IsZero() {
			f.Queries++
			answers[q.Caller] = append(answers[q.Caller], q.Answered)
		}
	}
	for _, who := range slices.Sorted(maps.Keys(answers)) {
		if gap, from := longestGap(answers[who], began); gap > time.Duration(f.LongestStall) {
			f.LongestStall, f.Staller, f.StallBegan = span(gap), who, span(from.Sub(began))
		}
	}
}

// longestGap is the longest time without an answer, and when it began: from the first call to the last answer, with which a caller is done.
func longestGap(answers []time.Time, began time.Time) (longest time.Duration, from time.Time) {
	slices.SortFunc(answers, time.Time.Compare)
	last := began
	for _, at := range answers {
		if gap := at.Sub(last); gap > longest {
			longest, from = gap, last
		}
		last = at
	}
	return longest, from
}

// recoveries fills in how long the faults kept their partitions from answering.
func (f *figures) recoveries(faults []fault, calls []history.Call, home func(aggregate string) int32) {
	byPartition := map[int32][]*history.Call{}
	for i := range calls {
		if c := &calls[i]; !c.Answered.IsZero() {
			p := home(c.Aggregate)
			byPartition[p] = append(byPartition[p], c)
		}
	}
	for _, answered := range byPartition {
		slices.SortFunc(answered, func(a, b *history.Call) int { return a.Answered.Compare(b.Answered) })
	}
	took, alone := map[string][]time.Duration{}, map[string][]time.Duration{}
	f.Faults = map[string]recovery{}
	for i := range faults {
		one := &faults[i]
		r := f.Faults[one.name]
		r.Class, r.Count = one.class, r.Count+1
		f.Faults[one.name] = r
		if t, measured := one.recovery(byPartition); measured {
			took[one.name] = append(took[one.name], t)
			if !slices.ContainsFunc(faults, func(other fault) bool { return other.hand != one.hand && one.meets(&other, t) }) {
				alone[one.name] = append(alone[one.name], t)
			}
		}
	}
	for name, all := range took {
		slices.Sort(all)
		r := f.Faults[name]
		r.Measured, r.Median, r.Longest = len(all), span(all[len(all)/2]), span(all[len(all)-1])
		if n := len(alone[name]); n > 0 {
			r.Alone, r.Slowest = n, span(slices.Max(alone[name]))
		}
		f.Faults[name] = r
	}
}

// recovery is the time until every partition touched had answered a call that was sent after the fault began. Calls come in the order of their
// answers. It is not measured where nothing was touched, or a partition never answered again.
func (f *fault) recovery(answered map[int32][]*history.Call) (longest time.Duration, measured bool) {
	for _, p := range f.Partitions {
		at := slices.IndexFunc(answered[p], func(c *history.Call) bool { return c.Sent.After(f.Began) })
		if at < 0 {
			return 0, false
		}
		longest = max(longest, answered[p][at].Answered.Sub(f.Began))
	}
	return longest, len(f.Partitions) > 0
}

// meets tells whether another fault was there between the beginning of this one and its recovery.
func (f *fault) meets(other *fault, recovery time.Duration) bool {
	return other.Began.Before(f.Began.Add(recovery)) && other.Healed.After(f.Began)
}

// judge fills in what the checks have found.
func (f *figures) judge(violations map[string]int, checked []string) {
	f.Violations, f.Checked = violations, checked
	f.Lost, f.Doubled, f.OutOfOrder = violations["I1"], violations["I2"], violations["I3"]+violations["I4"]
}

// print writes them for people.
func (f *figures) print(out io.Writer) {
	fmt.Fprintf(out, "\n%-14s %d calls in %.0f s, %d attempts: %d acked, %d refused, %d abandoned; %d queries; %d events\n",
		"workload", f.Calls, f.Seconds, f.Attempts, f.Acked, f.Refused, f.Abandoned, f.Queries, f.Events)
	fmt.Fprintf(out, "%-14s %d attempts with an unknown outcome, %d read too late\n", "", f.Unknown, f.Expired)
	fmt.Fprintf(out, "%-14s lost %d, doubled %d, out of order %d; checked %v, violations %v\n", "history", f.Lost, f.Doubled, f.OutOfOrder, f.Checked, f.Violations)
	fmt.Fprintf(out, "%-14s %v of %s, %v after the first call\n", "longest stall", f.LongestStall, f.Staller, f.StallBegan)
	fmt.Fprintf(out, "%-14s %-8s %6s %10s %10s %10s   until every partition touched answered again\n", "fault", "class", "times", "median", "longest", "alone")
	names := slices.SortedFunc(maps.Keys(f.Faults), func(a, b string) int {
		return cmp.Or(cmp.Compare(f.Faults[a].Class, f.Faults[b].Class), cmp.Compare(a, b))
	})
	for _, name := range names {
		r := f.Faults[name]
		fmt.Fprintf(out, "%-14s %-8s %6d %10s %10s %10s\n", name, r.Class, r.Count, r.Median.of(r.Measured), r.Longest.of(r.Measured), r.Slowest.of(r.Alone))
	}
}
