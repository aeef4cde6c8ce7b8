package consumer

import (
	"maps"
	"slices"
	"time"

	"github.com/seed-3eec0498/muster"
)

// later holds the commands of one part that wait for another try, in lines: one per aggregate, each in log order. All that is newer in an
// aggregate stands behind, so that its order holds. It is guarded by Consumer.mu.
//
//	a command is in a line  =>  its offset is in part.progress.Waiting
//	a line is never empty; it is out while the Work in hand has it
type later struct {
	lines  map[string]*line // by aggregate id
	memory int              // what the commands take, as buffer counts it
}

type line struct {
	waits []*waiting
	out   bool
}

type waiting struct {
	cmd  muster.Command
	wake time.Time // zero: only with the ones in front of it
}

// commandOverhead is what a decoded command takes beside its bytes.
const commandOverhead = 500

func memoryOf(cmd *muster.Command) int {
	n := commandOverhead + len(cmd.ID) + len(cmd.Type) + len(cmd.AggregateID) + len(cmd.Payload)
	for i := range cmd.Headers {
		n += headerOverhead + len(cmd.Headers[i].Key) + len(cmd.Headers[i].Value)
	}
	return n
}

// wake is when the first command of the line has something to be decided.
func (l *line) wake() (first time.Time) {
	for _, w := range l.waits {
		if !w.wake.IsZero() && (first.IsZero() || w.wake.Before(first)) {
			first = w.wake
		}
	}
	return first
}

// place finds a command in its line, or where it belongs.
func (l *line) place(offset int64) (int, bool) {
	return slices.BinarySearchFunc(l.waits, offset, func(w *waiting, offset int64) int { return int(w.cmd.Offset - offset) })
}

// put lets a command wait, or wait on.
func (s *later) put(cmd *muster.Command, how *muster.Waiting) {
	if s.lines == nil {
		s.lines = map[string]*line{}
	}
	l := s.lines[cmd.AggregateID]
	if l == nil {
		l = &line{}
		s.lines[cmd.AggregateID] = l
	}
	at, there := l.place(cmd.Offset)
	if !there {
		w := &waiting{cmd: *cmd}
		w.cmd.Behind = false
		l.waits = slices.Insert(l.waits, at, w)
		s.memory += memoryOf(cmd)
	}
	tries := how.Tries
	l.waits[at].cmd.Tries, l.waits[at].wake = &tries, how.Wake
}

// remove forgets a command that waits no more.
func (s *later) remove(cmd *muster.Command) {
	l := s.lines[cmd.AggregateID]
	if l == nil {
		return
	}
	if at, there := l.place(cmd.Offset); there {
		s.memory -= memoryOf(&l.waits[at].cmd)
		l.waits = slices.Delete(l.waits, at, at+1)
	}
	if len(l.waits) == 0 {
		delete(s.lines, cmd.AggregateID)
	}
}

// cut forgets the commands from an offset on: the log has lost them.
func (s *later) cut(from int64) {
	for _, l := range slices.Collect(maps.Values(s.lines)) {
		for _, w := range slices.Backward(slices.Clone(l.waits)) {
			if w.cmd.Offset >= from {
				s.remove(&w.cmd)
			}
		}
	}
}

// due hands out the lines that have something to be decided, all of their commands, in log order.
func (s *later) due(now time.Time) (commands []muster.Command, memory int) {
	for _, l := range s.lines {
		if wake := l.wake(); wake.IsZero() || wake.After(now) {
			continue
		}
		l.out = true
		for _, w := range l.waits {
			commands, memory = append(commands, w.cmd), memory+memoryOf(&w.cmd)
		}
	}
	slices.SortFunc(commands, func(a, b muster.Command) int { return int(a.Offset - b.Offset) })
	return commands, memory
}

// back takes back what is out.
func (s *later) back() {
	for _, l := range s.lines {
		l.out = false
	}
}

// next is when the first line has something to be decided; zero when nothing waits.
func (s *later) next() (first time.Time) {
	for _, l := range s.lines {
		if wake := l.wake(); !wake.IsZero() && (first.IsZero() || wake.Before(first)) {
			first = wake
		}
	}
	return first
}

// blocks tells whether a command that has just come must wait behind a line that is not out.
func (s *later) blocks(aggregate []byte) bool {
	l := s.lines[string(aggregate)]
	return l != nil && !l.out
}
