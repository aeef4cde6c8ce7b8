package projector_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/projector"
)

// Whatever events come, fail and recover, whoever crashes at whatever step, is taken for dead or joins, whatever operators order in between: in the
// end the rows are a fold of the events, in order and each once, but for those that lie aside or were dropped.
func TestRowsAreAFoldOfWhatIsNotAside(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		story := rapid.SliceOfN(rapid.Custom(drawDeed), 1, 25).Draw(rt, "story")
		options := []projector.Option{
			projector.BatchEvents(rapid.IntRange(1, 5).Draw(rt, "batch")),
			projector.OnFailure(projector.Policy{Tries: rapid.IntRange(1, 3).Draw(rt, "tries"), First: time.Millisecond, Then: projector.Park}),
			projector.OnBadRecord(projector.Skip), projector.HandlerDeadline(time.Second),
		}
		var fault string
		synctest.Test(t, func(t *testing.T) {
			w := &telling{rig: newRig(t, 2, options...), live: map[string]*process{}, gone: map[string]*process{}, dropped: map[string]bool{}, sent: map[string][]string{}}
			w.members = mustertest.NewMemoryMembership(0, 1)
			w.launch("one")
			for _, d := range story {
				w.do(d)
			}
			fault = w.end()
		})
		if fault != "" {
			rt.Fatal(fault)
		}
	})
}

// deed is one thing that happens.
type deed struct {
	What string
	N, M int
}

var deeds = []string{
	"note", "note", "note", "note", "note", "wait", "wait", "markers", "bad", "deliver", "kill", "kill", "join", "leave", "cut", "mend", "retry all", "retry", "drop",
	"pause", "resume", "break", "undecodable",
}

func drawDeed(rt *rapid.T) deed {
	return deed{What: rapid.SampledFrom(deeds).Draw(rt, "what"), N: rapid.IntRange(0, 7).Draw(rt, "n"), M: rapid.IntRange(0, 7).Draw(rt, "m")}
}

// process is an instance.
type process struct {
	runner *projector.Runner
	target *mustertest.MemoryTarget
	stop   func()
}

// telling is a story while it happens.
type telling struct {
	*rig
	live    map[string]*process
	gone    map[string]*process // all there ever were: some say still that they hold a shard
	zombies []*process
	started int
	count   int
	sent    map[string][]string // texts, by aggregate
	failing []string            // texts
	dropped map[string]bool     // texts
}

func (w *telling) launch(name string) {
	p := &process{target: w.target.Beside()}
	p.runner, p.stop = w.start(w.member(name), func(c *projector.Config) { c.Target = p.target })
	w.live[name], w.gone[name] = p, p
}

func (w *telling) one(n int) (string, *process) {
	var names []string
	for name := range w.live {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(names) == 0 {
		return "", nil
	}
	name := names[n%len(names)]
	return name, w.live[name]
}

func (w *telling) operator() *projector.Operator {
	runners := map[string]*projector.Runner{}
	for name, p := range w.gone {
		runners[name] = p.runner
	}
	return w.rig.operator(runners)
}

// soon bounds an order, which may have nobody to carry it out.
func (w *telling) soon(fn func(ctx context.Context)) {
	ctx, end := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer end()
	fn(ctx)
}

func (w *telling) do(d deed) {
	o := w.operator()
	switch d.What {
	case "note":
		w.write(d)
	case "wait":
		pass(time.Duration(d.N) * 400 * time.Millisecond)
	case "markers":
		w.journal.Markers(w.source(int32(d.N%2)), d.M)
	case "bad":
		w.journal.Bad(w.source(int32(d.N % 2)))
	case "deliver":
		w.journal.DeliverAtMost(d.N)
	case "undecodable":
		ev := mustertest.NewEvent(w.event, fmt.Sprint("a", 2*(d.M%3)+d.N%2), noted{"never"})
		ev.Payload = []byte("{")
		w.journal.Append(w.source(int32(d.N%2)), ev)
		w.write(d)
	case "kill":
		w.kill(d)
	case "join":
		w.started++
		w.launch(fmt.Sprint("p", w.started))
	case "leave":
		if name, p := w.one(d.N); p != nil {
			p.stop()
			delete(w.live, name)
		}
	case "cut":
		if name, p := w.one(d.N); p != nil && len(w.live) > 1 {
			w.members.Cut(name) // it does not know, and goes on to the end of the story
			w.zombies = append(w.zombies, p)
			delete(w.live, name)
		}
	case "mend":
		for _, text := range w.failing {
			w.fails(text, nil)
		}
		w.failing = nil
	case "retry all":
		w.soon(func(ctx context.Context) { _ = o.RetryAll(ctx, texts) }) // it stands, and takes effect in the end
	case "retry":
		w.soon(func(ctx context.Context) { _ = o.Retry(ctx, texts, "notes/a"+strconv.Itoa(d.N)) }) // there may be no such key
	case "drop":
		w.drop(d, o)
	case "pause":
		w.soon(func(ctx context.Context) {
			_ = o.Pause(ctx, projector.Scope{Projection: "texts", Shards: []int32{int32(d.N % 2)}})
		})
	case "resume":
		w.soon(func(ctx context.Context) { _ = o.Resume(ctx, texts) })
	case "break":
		w.breakDown(d)
	}
}

// write appends a command of some events, of which one may fail for now, twice, or by never returning in time.
func (w *telling) write(d deed) {
	shard := int32(d.N % 2)
	var events []string
	for i := range 1 + d.M%4 {
		w.count++
		text, id := strconv.Itoa(w.count), fmt.Sprint("a", 2*((d.N+i)%3)+int(shard))
		w.sent[id] = append(w.sent[id], text)
		events = append(events, id+":"+text)
		switch {
		case d.M == 5 && i == 0:
			w.failing = append(w.failing, text)
			w.fails(text, always(errBroken))
		case d.M == 6 && i == 1:
			left := 2
			w.failing = append(w.failing, text)
			w.fails(text, func(context.Context) error {
				if left--; left >= 0 {
					return errBroken
				}
				return nil
			})
		case d.M == 7 && i == 0:
			w.failing = append(w.failing, text)
			w.fails(text, func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			})
		}
	}
	w.note(shard, events...)
}

// kill ends a process at one of its next steps at the target.
func (w *telling) kill(d deed) {
	name, p := w.one(d.N)
	if p == nil {
		return
	}
	left := d.M
	p.target.Intercept(func(string, projector.Shard) error {
		if left--; left < 0 {
			p.target.Kill()
		}
		return nil
	})
	pass(100 * time.Millisecond)
	p.target.Kill()
	p.stop()
	delete(w.live, name)
}

// breakDown has some steps at a target fail, some of them after they took effect.
func (w *telling) breakDown(d deed) {
	_, p := w.one(d.N)
	if p == nil {
		return
	}
	n := 0
	p.target.Intercept(func(string, projector.Shard) error {
		if n++; n%(2+d.M) == 0 && n < 40 {
			return errBroken
		}
		return nil
	})
}

func (w *telling) drop(d deed, o *projector.Operator) {
	w.soon(func(ctx context.Context) {
		synctest.Wait()
		id := "a" + strconv.Itoa(d.N)
		for _, text := range w.sent[id] { // whatever was written so far may lie there when it is carried out
			w.dropped[text] = true
		}
		_ = o.Drop(ctx, texts, "notes/"+id) // there may be no such key
	})
}

// end lets everything come to rest, and says what is wrong.
func (w *telling) end() string {
	w.journal.DeliverAtMost(0)
	for _, p := range w.live {
		p.target.Intercept(nil)
	}
	for _, p := range w.zombies {
		p.stop()
	}
	w.launch("last")
	pass(time.Minute) // what the dead have said is stale
	w.soon(func(ctx context.Context) { _ = w.operator().Resume(ctx, texts) })
	pass(30 * time.Second)
	if fault := w.check(); fault != "" {
		return fault
	}
	for _, text := range w.failing {
		w.fails(text, nil)
	}
	w.soon(func(ctx context.Context) { _ = w.operator().RetryAll(ctx, texts) })
	for n := range int32(2) {
		for _, l := range w.target.Stored(w.shard(n)).Letters {
			if l.Kind != projector.Skipped && l.Reason != projector.ReasonUndecodable {
				if parked := w.target.Stored(w.shard(n)).Letters; !slices.ContainsFunc(parked, func(o projector.Letter) bool {
					return o.Key == l.Key && o.Reason == projector.ReasonUndecodable
				}) {
					return fmt.Sprintf("all was mended, but %s lies aside: %s", l.ID, l.Kind)
				}
			}
		}
	}
	for n := range 6 { // and everything flows again
		w.write(deed{N: n})
	}
	pass(time.Minute)
	return w.check()
}

// check compares the rows with what was written.
func (w *telling) check() string {
	aside := map[string]bool{}
	for n := range int32(2) {
		for _, l := range w.target.Stored(w.shard(n)).Letters {
			if l.Reason != projector.ReasonBadRecord {
				text := strings.Trim(strings.TrimPrefix(string(l.Event.Payload), `{"text":`), `"}`)
				aside[text] = l.Reason != projector.ReasonUndecodable
			}
		}
	}
	for id, sent := range w.sent {
		n, _ := strconv.Atoi(id[1:])
		applied := strings.Fields(w.rows(int32(n % 2))[id])
		var want []string
		for _, text := range sent {
			switch {
			case aside[text] && slices.Contains(applied, text):
				return fmt.Sprintf("event %s of %s is applied and lies aside", text, id)
			case aside[text]:
			case w.dropped[text] && !slices.Contains(applied, text):
			default:
				want = append(want, text)
			}
		}
		if !slices.Equal(applied, want) {
			return fmt.Sprintf("rows of %s are made of %v, want %v of %v; aside are %v", id, applied, want, sent, aside)
		}
	}
	for n := range int32(2) {
		stored := w.target.Stored(w.shard(n))
		if len(stored.Checkpoints) != 1 || stored.Checkpoints[0].Next != w.journal.End(w.source(n)) {
			return fmt.Sprintf("shard %d is at %+v, the journal ends at %d", n, stored.Checkpoints, w.journal.End(w.source(n)))
		}
	}
	return ""
}
