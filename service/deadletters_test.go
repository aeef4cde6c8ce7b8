package service_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/service"
)

// fussy is an owner whose handler panics at an amount above 100 until it is mended.
func (st *stage) fussy(mended *atomic.Bool) *muster.Aggregate[*account] {
	return st.owner(func(_ context.Context, r *muster.Root[*account], in deposit) (account, error) {
		if in.Amount > 100 && !mended.Load() {
			panic("too much")
		}
		if in.Amount < 0 {
			return account{}, muster.Errorf(muster.FailedPrecondition, "refused")
		}
		st.credited.Emit(r, credited(in))
		return *r.State(), nil
	})
}

// poisoned asks for a deposit that becomes a dead letter.
func (st *stage) poisoned(s *running, account, id string, amount int64, opts ...muster.CallOption) {
	st.t.Helper()
	_, err := st.deposit.Call(st.within(), s.Client(), account, deposit{Amount: amount}, append(opts, muster.CommandID(id))...)
	if muster.ReasonOf(err) != muster.ReasonPanic {
		st.t.Fatalf("%s: %v; want a panic", id, err)
	}
}

// lettersOf gives the command ids of all letters that fit.
func lettersOf(t *testing.T, d *service.DeadLetters, filter service.LetterFilter) []string {
	t.Helper()
	var ids []string
	for l, err := range d.All(t.Context(), filter) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, l.Command.ID)
	}
	return ids
}

func (st *stage) wantBalance(s *running, id string, want int64) {
	st.t.Helper()
	got, err := st.balance.Call(st.within(), s.Client(), id, ask{})
	if err != nil || got.Balance != want {
		st.t.Errorf("balance of %s: %+v, %v; want %d", id, got, err, want)
	}
}

// order gives the command ids of an aggregate's events.
func (st *stage) order(s *running, id string) (ids []string) {
	st.t.Helper()
	for e, err := range s.History(st.within(), st.group, id) {
		if err != nil {
			st.t.Fatal(err)
		}
		ids = append(ids, e.CausationID)
	}
	return ids
}

// Poison, then a build that can: the letters are replayed in their order, each once, and are then replayed ones. A second replay, from
// another process, finds nothing to do.
func TestReplayAfterAFix(t *testing.T) {
	st := newStage(t, anyBrokers(t), 3)
	var mended atomic.Bool
	first := start(t, st.config(), st.fussy(&mended))
	desk := start(t, callerOf(st)) // owns nothing
	letters := desk.DeadLetters(st.group)
	for i := range 4 {
		st.poisoned(first, "acc-1", fmt.Sprintf("a%d", i), int64(101+i), muster.WithHeader("tenant", []byte("north")))
		st.poisoned(first, "acc-2", fmt.Sprintf("b%d", i), 200)
	}
	st.served(first, "acc-1") // later commands went on
	st.until("the letters are listed", func() bool { return len(lettersOf(t, letters, service.LetterFilter{})) == 8 })

	// without a fix each aggregate's first letter fails again, the others wait behind it
	report, err := letters.Replay(st.within(), service.LetterFilter{AggregateID: "acc-2"}, service.ReplayOptions{})
	if err != nil || report[service.ReplayFailed] != 1 || report[service.ReplayHeld] != 3 {
		t.Errorf("before the fix: %v, %v; want one that failed and three that are held", report, err)
	}
	if got := lettersOf(t, letters, service.LetterFilter{AggregateID: "acc-2"}); !slices.Equal(got, []string{"b1", "b2", "b3", "b0"}) {
		t.Errorf("open letters of acc-2: %v; want the failed one as the last", got)
	}
	newest, err := letters.List(t.Context(), service.LetterFilter{CommandID: "b0"}, muster.Position{}, 0)
	if err != nil || len(newest.Letters) != 1 || newest.Letters[0].Command.ReplayOf.Topic != st.group.DeadLetterTopic("") {
		t.Fatalf("the newer letter: %+v, %v; want one that tells where it is from", newest, err)
	}

	mended.Store(true)
	var steps []string
	report, err = letters.Replay(st.within(), service.LetterFilter{}, service.ReplayOptions{Each: func(r service.ReplayResult) {
		if r.Err != nil || r.Outcome == nil || r.Outcome.Code != muster.OK {
			t.Errorf("%s: %+v", r.Letter.Command.ID, r)
		}
		steps = append(steps, r.Letter.Command.ID)
	}})
	if err != nil || report[service.ReplayDone] != 8 || len(steps) != 8 {
		t.Errorf("after the fix: %v, %v, steps %v; want all done", report, err, steps)
	}
	if got := st.order(first, "acc-1"); !slices.Equal(got[1:], []string{"a0", "a1", "a2", "a3"}) {
		t.Errorf("commands on acc-1: %v; want the replayed ones in their order", got)
	}
	st.wantBalance(first, "acc-1", 1+101+102+103+104)
	st.wantBalance(first, "acc-2", 800)

	again, err := first.DeadLetters(st.group).Replay(st.within(), service.LetterFilter{}, service.ReplayOptions{})
	if err != nil || len(again) != 0 {
		t.Errorf("once more: %v, %v; want nothing to do", again, err)
	}
	got, err := letters.List(t.Context(), service.LetterFilter{State: service.LetterReplayed, CommandID: "a0"}, muster.Position{}, 0)
	if err != nil || len(got.Letters) != 1 || got.Letters[0].Mark == nil || got.Letters[0].Mark.By != st.callerName(desk)+"/"+desk.Instance() {
		t.Errorf("the mark of a0: %+v, %v", got, err)
	}
	for e, err := range first.History(t.Context(), st.group, "acc-1") {
		if tenant, _ := e.Headers.Get("tenant"); err != nil || e.CausationID == "a0" && string(tenant) != "north" {
			t.Errorf("event of %s: headers %v, %v", e.CausationID, e.Headers, err)
		}
	}
	if n := st.journal().Len(); n != 9 {
		t.Errorf("%d events; want one for each of 9 commands", n)
	}
}

// The one who replays dies between the answer and the mark: the letter is still open, and replaying it once more has no second effect.
func TestReplayCutShort(t *testing.T) {
	st := newStage(t, anyBrokers(t), 1)
	var mended atomic.Bool
	owner := start(t, st.config(), st.fussy(&mended))
	cfg := callerOf(st)
	ctx, cancel := context.WithCancel(t.Context())
	cfg.Failpoint = func(name string) {
		if name == "replayed" {
			cancel()
		}
	}
	dying, desk := start(t, cfg), start(t, callerOf(st))
	st.poisoned(owner, "acc-1", "a0", 150)
	st.poisoned(owner, "acc-1", "a1", 160)
	st.until("the letters are listed", func() bool {
		return len(lettersOf(t, desk.DeadLetters(st.group), service.LetterFilter{})) == 2
	})
	mended.Store(true)
	report, err := dying.DeadLetters(st.group).Replay(ctx, service.LetterFilter{}, service.ReplayOptions{})
	if !errors.Is(err, context.Canceled) || report[service.ReplayUnknown] != 1 {
		t.Errorf("cut short: %v, %v", report, err)
	}
	st.wantBalance(owner, "acc-1", 150)
	repeated := 0
	report, err = desk.DeadLetters(st.group).Replay(st.within(), service.LetterFilter{}, service.ReplayOptions{Each: func(r service.ReplayResult) {
		if r.Outcome.Repeated {
			repeated++
		}
	}})
	if err != nil || report[service.ReplayDone] != 2 || repeated != 1 {
		t.Errorf("once more: %v, %v, %d stored answers; want two that are done, one of them before", report, err, repeated)
	}
	st.wantBalance(owner, "acc-1", 310)
}

// What still cannot be decoded, what never was a command, what the business refuses: each is told apart, and holds or frees what is behind.
func TestReplayChecksFirst(t *testing.T) {
	st := newStage(t, anyBrokers(t), 1)
	var mended atomic.Bool
	owner := start(t, st.config(), st.fussy(&mended))
	kind := func(name string) kgo.RecordHeader { return head("ce_type", name) }
	st.write(
		st.command("acc-1", `{"Amount":"none"}`, kind("bank.Deposit"), head("ce_id", "garbled"), head("content-type", "application/json")),
		st.command("acc-2", `{}`, kind("bank.FromTheFuture"), head("ce_id", "future")),
		st.command("acc-3", `{"Amount":1}`, head("ce_id", "no-type")),
		st.command("acc-4", `{"Amount":1}`, kind("bank.Deposit"), head("ce_id", "late"), head("content-type", "application/json"), head("muster-deadline", "1000")),
	)
	st.poisoned(owner, "acc-1", "behind", 150)
	letters := owner.DeadLetters(st.group)
	st.until("the letters are listed", func() bool { return len(lettersOf(t, letters, service.LetterFilter{})) == 5 })
	mended.Store(true)
	got := map[string]service.ReplayResult{}
	_, err := letters.Replay(st.within(), service.LetterFilter{}, service.ReplayOptions{Each: func(r service.ReplayResult) { got[r.Letter.Command.ID] = r }})
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]struct {
		verdict service.ReplayVerdict
		reason  string
	}{
		"garbled": {service.ReplayUnfit, muster.ReasonUndecodable}, "future": {service.ReplayUnfit, muster.ReasonUnknownType},
		"no-type": {service.ReplayUnfit, ""}, "behind": {service.ReplayHeld, ""}, "late": {service.ReplayDone, ""},
	} {
		if r := got[id]; r.Verdict != want.verdict || muster.ReasonOf(r.Err) != want.reason || (r.Err == nil) != (want.verdict == service.ReplayDone) {
			t.Errorf("%s: %s, %v; want %s with reason %q", id, r.Verdict, r.Err, want.verdict, want.reason)
		}
	}
	garbled, err := letters.Get(t.Context(), got["garbled"].Letter.At)
	if err != nil || string(garbled.Command.Payload) != `{"Amount":"none"}` || garbled.Cause.Reason != muster.ReasonUndecodable || garbled.State != service.LetterOpen {
		t.Errorf("the letter: %+v, %v", garbled, err)
	}
	if v, err := letters.Decode(got["behind"].Letter); err != nil || v != (deposit{Amount: 150}) {
		t.Errorf("decoded: %+v, %v", v, err)
	}

	// the garbled one is dropped, then what was behind it goes
	if err := letters.DropAt(t.Context(), garbled.At, "a client's mistake"); err != nil {
		t.Fatal(err)
	}
	if err := letters.DropAt(t.Context(), garbled.At, "again"); muster.CodeOf(err) != muster.FailedPrecondition {
		t.Errorf("dropped twice: %v", err)
	}
	report, err := letters.Replay(st.within(), service.LetterFilter{AggregateID: "acc-1"}, service.ReplayOptions{})
	if err != nil || report[service.ReplayDone] != 1 {
		t.Errorf("behind the dropped one: %v, %v", report, err)
	}
	// unchecked: the owner refuses it again, and says so with a newer letter
	report, err = letters.Replay(st.within(), service.LetterFilter{Type: "bank.FromTheFuture"}, service.ReplayOptions{Unchecked: true})
	if err != nil || report[service.ReplayFailed] != 1 {
		t.Errorf("unchecked: %v, %v", report, err)
	}
	st.wantBalance(owner, "acc-4", 1)
	if n := st.counter("muster_dead_letters_marked_total", map[string]string{"mark": "dropped"}); n != 1 {
		t.Errorf("%v dropped letters counted", n)
	}
}

// Lists come in pages that are stable, filters narrow them, and dropped letters stay to be seen.
func TestDeadLettersListed(t *testing.T) {
	st := newStage(t, anyBrokers(t), 3)
	var mended atomic.Bool
	owner := start(t, st.config(), st.fussy(&mended))
	before := time.Now()
	for i := range 10 {
		st.poisoned(owner, fmt.Sprintf("acc-%d", i%4), fmt.Sprintf("c%d", i), 200)
	}
	letters := owner.DeadLetters(st.group)
	st.until("the letters are listed", func() bool { return len(lettersOf(t, letters, service.LetterFilter{})) == 10 })
	all := lettersOf(t, letters, service.LetterFilter{})

	var paged []string
	var at muster.Position
	for {
		page, err := letters.List(t.Context(), service.LetterFilter{}, at, 3)
		if err != nil || len(page.Letters) > 3 {
			t.Fatalf("%d letters, %v", len(page.Letters), err)
		}
		for _, l := range page.Letters {
			paged = append(paged, l.Command.ID)
		}
		if at = page.Next; at.Topic == "" {
			break
		}
	}
	if !slices.Equal(paged, all) {
		t.Errorf("pages give %v; all is %v", paged, all)
	}
	for name, c := range map[string]struct {
		filter service.LetterFilter
		want   int
	}{
		"reason":    {service.LetterFilter{Reason: muster.ReasonPanic}, 10},
		"other":     {service.LetterFilter{Reason: muster.ReasonExpired}, 0},
		"type":      {service.LetterFilter{Type: "bank.Deposit"}, 10},
		"aggregate": {service.LetterFilter{AggregateID: "acc-1"}, 3},
		"command":   {service.LetterFilter{CommandID: "c7"}, 1},
		"since":     {service.LetterFilter{Since: before.Add(-time.Minute)}, 10},
		"before":    {service.LetterFilter{Before: before.Add(-time.Minute)}, 0},
		"replayed":  {service.LetterFilter{State: service.LetterReplayed}, 0},
	} {
		if got := lettersOf(t, letters, c.filter); len(got) != c.want {
			t.Errorf("%s: %v; want %d letters", name, got, c.want)
		}
	}
	n, err := letters.Drop(st.within(), service.LetterFilter{AggregateID: "acc-1"}, "a test's")
	if err != nil || n != 3 {
		t.Errorf("dropped %d, %v; want 3", n, err)
	}
	fresh := owner.DeadLetters(st.group) // reads everything anew
	for state, want := range map[service.LetterState]int{service.LetterOpen: 7, service.LetterDropped: 3, service.LetterAny: 10} {
		for _, d := range []*service.DeadLetters{letters, fresh} {
			if got := lettersOf(t, d, service.LetterFilter{State: state}); len(got) != want {
				t.Errorf("%s: %v; want %d letters", state, got, want)
			}
		}
	}
	if _, err := letters.Get(t.Context(), muster.Position{Topic: st.group.DeadLetterTopic(""), Partition: 1, Offset: 1 << 40}); muster.CodeOf(err) != muster.NotFound {
		t.Errorf("a letter beyond the end: %v", err)
	}
	if _, err := letters.Get(t.Context(), muster.Position{Topic: "x"}); muster.CodeOf(err) != muster.InvalidArgument {
		t.Errorf("a letter of another topic: %v", err)
	}
}
