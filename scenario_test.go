package muster_test

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/script"
)

// The scenario files say what a batch of commands leads to: its decision, what is stored, what is answered.
func TestScenarios(t *testing.T) {
	script.Run(t, "testdata/scenario", func(t *testing.T) map[string]script.Verb {
		w := newWorld(t, newBank().behaviour())
		return map[string]script.Verb{
			"batch": w.scenarioBatch,
			"abort": func(s *script.Step) string { // the decision is made and its transaction aborted
				round, decision := w.decide(w.batch(commandsOf(s, w)...), nil)
				w.journal.aborted(decision.Events)
				round.Abort()
				for _, p := range decision.Offsets { // what was not consumed is read again
					w.offsets[p.Partition] = p.Next - int64(len(s.Calls))
				}
				return describeDecision(decision)
			},
			"restart": func(*script.Step) string { w.restart(); return "" },
			"rebuild": func(*script.Step) string { w.rebuild(2); return "" },
			"foreign": func(s *script.Step) string { // somebody else writes to the journal
				w.journal.end[int32(numberOf(s, "partition", 0))] += int64(numberOf(s, "records", 1))
				return ""
			},
			"clock": func(s *script.Step) string {
				d, err := time.ParseDuration(s.Text("forward", ""))
				if err != nil {
					s.Fatalf("%v", err)
				}
				w.now = w.now.Add(d)
				return ""
			},
			"stored": func(s *script.Step) string {
				var b strings.Builder
				for _, call := range s.Calls {
					state, err := w.store.Load(int32(numberOf(s, "partition", 0)), call.Args[0])
					if err != nil {
						s.Fatalf("%v", err)
					}
					fmt.Fprintf(&b, "%s revision=%d offset=%d %s\n", state.AggregateID, state.Revision, state.Offset, state.Data)
				}
				return b.String()
			},
		}
	})
}

func (w *world) scenarioBatch(s *script.Step) string {
	w.slice = numberOf(s, "slice", 0)
	commands := commandsOf(s, w)
	culprits := map[string]*muster.RecordFault{}
	if id := s.Text("culprit", ""); id != "" {
		culprits[id] = &muster.RecordFault{CommandID: id, Cause: errors.New("the broker takes no record of this size")}
	}
	round, decision := w.decide(w.batch(commands...), culprits)
	f := w.commit(round, decision)
	var b strings.Builder
	for _, reply := range f.replies {
		b.WriteString(describeReply(reply))
	}
	b.WriteString(describeDecision(decision))
	for _, c := range f.changes {
		for _, state := range c.States {
			fmt.Fprintf(&b, "state %s revision=%d %s\n", state.AggregateID, state.Revision, state.Data)
		}
		if s.Has("answers") {
			for _, answer := range c.Answers {
				fmt.Fprintf(&b, "answer %s revision=%d offset=%d\n", answer.CommandID, answer.Revision, answer.Offset)
			}
		}
	}
	for _, partition := range f.gaps {
		fmt.Fprintf(&b, "gap in partition %d\n", partition)
	}
	return b.String()
}

// panicPlace is what a message tells of a panic's place; it changes with every edit of the handlers under test.
var panicPlace = regexp.MustCompile(` in \S+ at \S+\.go:\d+`)

func describeReply(r muster.Reply) string {
	o := r.Outcome
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s revision=%d", r.CommandID, o.Code, o.Revision)
	if !o.Position.IsZero() {
		fmt.Fprintf(&b, " at=%s", o.Position)
	}
	if o.Reason != "" {
		fmt.Fprintf(&b, " reason=%s", o.Reason)
	}
	if o.Code == muster.OK && len(o.Payload) < 200 && !o.Omitted {
		fmt.Fprintf(&b, " %s", o.Payload)
	} else if o.Code == muster.OK {
		fmt.Fprintf(&b, " result=%d bytes", len(o.Payload))
	}
	if actual, ok := muster.ConflictOf(o.Err()); ok {
		fmt.Fprintf(&b, " actual=%d", actual)
	}
	b.WriteString(flag(o.Repeated, " repeated") + flag(o.Omitted, " omitted") + flag(o.Retry, " retry"))
	if o.Code != muster.OK {
		fmt.Fprintf(&b, " %q", panicPlace.ReplaceAllString(o.Message, " in FUNCTION at FILE:LINE"))
	}
	return b.String() + "\n"
}

func describeDecision(d *muster.Decision) string {
	var b strings.Builder
	for i := range d.Events {
		e := &d.Events[i]
		if len(d.Events) > 12 && i >= 3 && i < len(d.Events)-1 {
			if i == 3 {
				fmt.Fprintf(&b, "... %d more\n", len(d.Events)-4)
			}
			continue
		}
		place := "undecided"
		if e.Topic != "" {
			place = e.Position().String()
		}
		fmt.Fprintf(&b, "%s %s/%d %s %d of %d, id %s\n", place, e.AggregateID, e.Revision, e.Type, e.Index+1, e.Count, e.ID)
	}
	for i := range d.Dead {
		fmt.Fprintf(&b, "dead %s %s reason=%s\n", d.Dead[i].Command.ID, d.Dead[i].Cause.Code, d.Dead[i].Cause.Reason)
	}
	for i := range d.Commands {
		c := &d.Commands[i].Command
		fmt.Fprintf(&b, "written to %s: %s(%s) %s, because of %s\n", c.Group, c.Type, c.AggregateID, c.Payload, c.CausationID)
	}
	for _, p := range d.Offsets {
		fmt.Fprintf(&b, "consumed [%d] up to %d\n", p.Partition, p.Next)
	}
	return b.String()
}

func numberOf(s *script.Step, key string, otherwise int) int {
	n, err := strconv.Atoi(s.Text(key, strconv.Itoa(otherwise)))
	if err != nil {
		s.Fatalf("%s: %v", key, err)
	}
	return n
}

// commandsOf reads lines like deposit(acc-1, 250, id=c2). What else can be named: text, times, partition, expect (a revision), deadline
// (a duration from now), payload (bytes in place of the encoded order), content, fault (the consumer found the record bad), noreply.
func commandsOf(s *script.Step, w *world) []muster.Command {
	commands := make([]muster.Command, 0, len(s.Calls))
	for n, call := range s.Calls {
		in, id := order{Text: call.Named["text"]}, call.Named["id"]
		if len(call.Args) > 1 {
			in.Amount = numberIn(s, call.Args[1])
		}
		if times, ok := call.Named["times"]; ok {
			in.Times = int(numberIn(s, times))
		}
		if id == "" {
			id = fmt.Sprintf("%s-%d", call.Verb, n+1)
		}
		cmd := command(call.Verb, call.Args[0], id, in)
		for name, value := range call.Named {
			switch name {
			case "id", "text", "times":
			case "partition":
				cmd.Partition = int32(numberIn(s, value))
			case "expect":
				cmd.Expected = muster.ExactRevision(uint64(numberIn(s, value)))
			case "deadline":
				d, err := time.ParseDuration(value)
				if err != nil {
					s.Fatalf("%v", err)
				}
				cmd.Deadline = w.now.Add(d)
			case "payload":
				cmd.Payload = []byte(value)
			case "content":
				cmd.ContentType = value
			case "fault":
				cmd.Fault = &muster.Error{Code: muster.InvalidArgument, Reason: value, Message: "the record is bad"}
			case "noreply":
				cmd.ReplyTo = muster.ReplyTo{}
			default:
				s.Fatalf("%s: %s is not known", call.Verb, name)
			}
		}
		commands = append(commands, cmd)
	}
	return commands
}

func numberIn(s *script.Step, text string) float64 {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		s.Fatalf("%v", err)
	}
	return n
}

func flag(set bool, text string) string {
	if set {
		return text
	}
	return ""
}
