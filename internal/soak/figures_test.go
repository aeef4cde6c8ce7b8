//go:build linux

package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster/internal/history"
)

func at(seconds float64) time.Time {
	return time.Unix(1000, 0).Add(time.Duration(seconds * float64(time.Second)))
}

// answered is a call of a caller on an aggregate, which begins with the letter of its partition.
func answered(caller, aggregate string, sent, got float64) history.Call {
	return history.Call{Caller: caller, Aggregate: aggregate, Sent: at(sent), Answered: at(got), Attempts: 1}
}

// letters puts a... into partition 0, b... into 1.
func letters(aggregate string) int32 { return int32(aggregate[0] - 'a') }

func TestCounts(t *testing.T) {
	refused := answered("two", "b", 1, 2)
	refused.Refused, refused.Attempts = true, 3
	var f figures
	f.count([]history.Call{
		answered("one", "a", 0, 1),
		answered("one", "a", 1, 6), // five seconds behind the one before
		refused,
		{Caller: "two", Aggregate: "b", Sent: at(3), GivenUp: at(3), Attempts: 1},
	}, []history.Query{{Caller: "two", Asked: at(3), Answered: at(5)}, {Caller: "two", Asked: at(5)}}, at(0), at(8))
	if f.Calls != 4 || f.Attempts != 6 || f.Acked != 2 || f.Refused != 1 || f.Abandoned != 1 || f.Queries != 1 || f.Seconds != 8 {
		t.Errorf("%+v", f)
	}
	if time.Duration(f.LongestStall) != 5*time.Second || f.Staller != "one" || time.Duration(f.StallBegan) != time.Second {
		t.Errorf("longest stall %v of %s from %v on", f.LongestStall, f.Staller, f.StallBegan)
	}
}

// A caller that is not answered from the beginning on stalls, too.
func TestStallFromTheBeginning(t *testing.T) {
	var f figures
	f.count([]history.Call{answered("late", "a", 0, 9), answered("late", "a", 9, 10)}, nil, at(0), at(10))
	if time.Duration(f.LongestStall) != 9*time.Second {
		t.Errorf("longest stall %v", f.LongestStall)
	}
}

// Partitions have recovered when each has answered a call sent after the fault: what was under way before it says nothing.
func TestRecovery(t *testing.T) {
	calls := []history.Call{
		answered("one", "a1", 0, 3), // under way when it happened
		answered("one", "a2", 4, 7),
		answered("one", "a1", 7, 8),
		answered("two", "b1", 2.5, 4),
	}
	touched := func(name string, began float64, partitions ...int32) fault {
		return fault{step: step{kind: kind{class: classKill, name: name, hand: handInstances}}, Began: at(began), Healed: at(began + 1), Partitions: partitions}
	}
	var f figures
	f.recoveries([]fault{
		touched("kill", 2, 0, 1), touched("kill", 2, 1), touched("kill", 6.5, 0),
		touched("none", 2), touched("never", 9, 0),
		{step: step{kind: kind{name: "rolling", hand: handBrokers}}, Began: at(5), Healed: at(6)}, // beside the first
	}, calls, letters)
	if r := f.Faults["kill"]; r.Count != 3 || r.Measured != 3 || r.Median != span(2*time.Second) || r.Longest != span(5*time.Second) || r.Alone != 2 || r.Slowest != span(2*time.Second) {
		t.Errorf("kill: %+v", r)
	}
	for _, name := range []string{"none", "never"} {
		if r := f.Faults[name]; r.Count != 1 || r.Measured != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	var out strings.Builder
	f.judge(map[string]int{"I1": 1, "I2": 2, "I3": 3, "I4": 4, "I7": 5}, []string{"I1", "I7"})
	f.print(&out)
	for _, want := range []string{"lost 1, doubled 2, out of order 7; checked [I1 I7]", "kill           kill          3         2s         5s         2s\n", "none           kill          1          -          -          -\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// JSON has seconds.
func TestFiguresAsJSON(t *testing.T) {
	f := figures{LongestStall: span(1500 * time.Millisecond), Faults: map[string]recovery{"kill": {Class: classKill, Count: 1, Measured: 1, Median: span(time.Minute), Longest: span(time.Minute)}}}
	b, err := json.Marshal(f)
	if err != nil || !strings.Contains(string(b), `"LongestStall":1.500`) || !strings.Contains(string(b), `"Median":60.000`) {
		t.Errorf("%s, %v", b, err)
	}
}
