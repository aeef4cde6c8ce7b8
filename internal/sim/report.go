package sim

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Report says what a failed run has shown: the violations, what happened to the system, and of what clients saw the part that has to do with it.
func (o *Outcome) Report() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v\n\nwhat happened:\n", o.Violations)
	for _, n := range o.Notes {
		fmt.Fprintln(&b, n)
	}
	lines := o.trimmed()
	fmt.Fprintf(&b, "\n%d of %d lines of the history:\n", min(len(lines), historyLines), len(lines))
	for _, l := range lines[:min(len(lines), historyLines)] {
		fmt.Fprintln(&b, l)
	}
	return b.String()
}

// historyLines bounds the part of the history that is printed.
const historyLines = 60

var named = regexp.MustCompile(`\b(c\d+-\d+|agg-\d+)\b`)

// trimmed is the history of the aggregates that the violations name, or those of the commands they name, in the order of time.
func (o *Outcome) trimmed() []string {
	wanted := map[string]bool{}
	for _, name := range named.FindAllString(fmt.Sprint(o.Violations), -1) {
		wanted[name] = true
	}
	for i := range o.Record.Calls {
		if c := &o.Record.Calls[i]; wanted[c.ID] {
			wanted[c.Aggregate] = true
		}
	}
	type line struct {
		at   time.Time
		text string
	}
	var lines []line
	var zero time.Time
	for i := range o.Record.Calls {
		if c := &o.Record.Calls[i]; wanted[c.Aggregate] {
			if zero.IsZero() || c.Sent.Before(zero) {
				zero = c.Sent
			}
			took := "never answered"
			if !c.Answered.IsZero() {
				took = fmt.Sprintf("%v, %s", c.Answered.Sub(c.Sent).Round(time.Millisecond), c)
			}
			lines = append(lines, line{c.Sent, fmt.Sprintf("%s %s of %s, %d attempts: %s", c.Aggregate, c.ID, c.Caller, c.Attempts, took)})
		}
	}
	for _, events := range o.Record.Journal.Events {
		for i := range events {
			if e := &events[i]; wanted[e.AggregateID] && e.Last() {
				lines = append(lines, line{e.Time, fmt.Sprintf("%s journal %v: revision %d, %d events of %s", e.AggregateID, e.Position(), e.Revision, e.Count, e.CausationID)})
			}
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = fmt.Sprintf("%8.3fs %s", l.at.Sub(zero).Seconds(), l.text)
	}
	return texts
}
