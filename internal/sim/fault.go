package sim

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Kind is what a fault does.
type Kind string

// The kinds of faults, with those of the reliability page they belong to.
const (
	Cut          Kind = "cut"          // all connections of a process end at once (F1)
	Sever        Kind = "sever"        // a process has no network for a time (F1)
	Freeze       Kind = "freeze"       // nothing passes a process's connections for a time, then everything goes on (F4)
	Lose         Kind = "lose"         // answers to the next requests of a key are lost (F2)
	Mute         Kind = "mute"         // answers to all requests of a key are lost for a time (F2, F4)
	Delay        Kind = "delay"        // the next requests of a key arrive late (F4)
	Code         Kind = "code"         // the brokers answer requests of a key with an error (F3)
	Leaders      Kind = "leaders"      // all partitions get other leaders (F8)
	Coordinators Kind = "coordinators" // all groups and transactional ids get other coordinators (F8)
	Crash        Kind = "crash"        // a process ends without a word, and a part of what it has not synced is gone (F5)
	Stop         Kind = "stop"         // a process is stopped and started as in an upgrade (F6)
	Storm        Kind = "storm"        // another owner joins and leaves, again and again (F7)
	Disk         Kind = "disk"         // the disk of a process fails; it is started again once that has passed (F9)
	Clock        Kind = "clock"        // the wall clock of a process is set (F10)
)

// Fault is one of a plan. It begins when so many operations have begun, and ends by itself.
type Fault struct {
	At     int    // operations begun
	Kind   Kind   //
	Target string // a process; empty for the brokers
	Key    kmsg.Key
	Err    *kerr.Error
	Count  int           // of requests, or of times
	For    time.Duration // how long it lasts, or how late a request is
	Apply  bool          // the brokers carry out the requests whose answers are lost
	Keep   int           // of a crash: percent of what was not synced that is still there
	Full   bool          // of a disk: it is full; else it fails
	By     time.Duration // of a clock
}

// String gives the fault as a plan prints it: one line, the same for the same fault.
func (f Fault) String() string {
	text := fmt.Sprintf("at %d: %s %s", f.At, f.Kind, f.Target)
	if f.Target == "" {
		text += "brokers"
	}
	switch f.Kind {
	case Lose:
		text += fmt.Sprintf(" %d answers to %s, %s", f.Count, f.Key.Name(), f.truth())
	case Mute:
		text += fmt.Sprintf(" answers to %s for %v, %s", f.Key.Name(), f.For, f.truth())
	case Delay:
		text += fmt.Sprintf(" %d of %s by %v", f.Count, f.Key.Name(), f.For)
	case Code:
		text += fmt.Sprintf(" answer %d of %s with %s", f.Count, f.Key.Name(), f.Err.Message)
	case Crash:
		text += fmt.Sprintf(", %d %% of what was not synced stays, back after %v", f.Keep, f.For)
	case Stop:
		text += fmt.Sprintf(", back after %v", f.For)
	case Storm:
		text += fmt.Sprintf(" %d times", f.Count)
	case Disk:
		what := "fails"
		if f.Full {
			what = "is full"
		}
		text += fmt.Sprintf(" %s for %v", what, f.For)
	case Clock:
		text += fmt.Sprintf(" by %v", f.By)
	case Sever, Freeze:
		text += fmt.Sprintf(" for %v", f.For)
	case Cut, Leaders, Coordinators:
	}
	return text
}

func (f Fault) truth() string {
	if f.Apply {
		return "carried out"
	}
	return "not carried out"
}
