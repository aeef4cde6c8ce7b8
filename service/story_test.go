//go:build unix

package service_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/viewhttp"
	"github.com/seed-3eec0498/muster/service"
)

// fleet is the story's workers, and what they are fed with.
type fleet struct {
	t       *testing.T
	b       *bank
	owner   *running
	ledger  *storyLedger
	workers []*storyProcess
	reader  *storyReader // nil before it begins
}

const (
	storyPartitions = 6
	storyAccounts   = 12
)

func newFleet(t *testing.T) *fleet {
	brokers := anyBrokers(t)
	f := &fleet{t: t, b: newBank(t, muster.Partitions(storyPartitions)), ledger: &storyLedger{
		sent: map[string]storyRow{}, at: map[string]storyRow{}, ends: map[int32]muster.Position{},
	}}
	f.owner = start(t, service.Config{Name: kafkatest.UniqueName(t, "bank"), Brokers: brokers, DataDir: t.TempDir()}, f.b.owner(nil))
	var starting sync.WaitGroup
	f.workers = make([]*storyProcess, 3)
	for i := range f.workers {
		c := storyConfig{
			Group: f.b.group.Name(), Partitions: storyPartitions, Brokers: brokers, Service: f.b.group.Name() + "-views", Instance: fmt.Sprintf("worker-%d", i),
			Dir: t.TempDir(), Session: session, Build: buildFaulty,
		}
		starting.Go(func() { f.workers[i] = launchStory(t, c) })
	}
	starting.Wait()
	return f
}

// kill ends a worker as kill -9 does.
func (f *fleet) kill(i int) { f.workers[i].kill() }

// comeBack starts it again, from a build.
func (f *fleet) comeBack(i int, build string) {
	f.t.Helper()
	c := f.workers[i].config
	c.Build = build
	f.workers[i] = launchStory(f.t, c)
	if f.reader != nil {
		f.reader.moves(f.addresses())
	}
}

func (f *fleet) addresses() []string {
	var all []string
	for _, w := range f.workers {
		all = append(all, w.address)
	}
	return all
}

// client reads from one of the workers.
func (f *fleet) client(i int) *viewhttp.Client {
	f.t.Helper()
	client, err := viewhttp.NewClient(f.workers[i].address, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return client
}

// deposit makes one, and gives its position.
func (f *fleet) deposit(ctx context.Context, id string, amount int64) (muster.Position, error) {
	f.ledger.asks(id, amount)
	var r muster.Receipt
	if _, err := f.b.deposit.Call(ctx, f.owner.Client(), id, deposit{Amount: amount}, muster.ReceiptTo(&r)); err != nil {
		return muster.Position{}, err
	}
	f.ledger.has(id, amount, r.Position)
	return r.Position, nil
}

func (f *fleet) mustDeposit(id string, amount int64) muster.Position {
	f.t.Helper()
	at, err := f.deposit(bounded(f.t), id, amount)
	if err != nil {
		f.t.Fatal(err)
	}
	return at
}

// load makes deposits to all accounts until it is stopped.
func (f *fleet) load() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for n := 0; ctx.Err() == nil; n++ {
			each, done := context.WithTimeout(context.WithoutCancel(ctx), patience) // the last one ends, too
			_, err := f.deposit(each, fmt.Sprintf("acc-%02d", n%storyAccounts), int64(n%storyAccounts+1))
			done()
			if err != nil {
				f.t.Errorf("a deposit beside the workers: %v", err)
				return
			}
		}
	}()
	return sync.OnceFunc(func() {
		cancel()
		<-ended
	})
}

// ask sends a request about the projection to a worker, and gives the answer.
func (f *fleet) ask(i int, method, path string) (int, string) {
	f.t.Helper()
	request, err := http.NewRequestWithContext(bounded(f.t), method, f.workers[i].address+"/projections/"+path, http.NoBody)
	if err != nil {
		f.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		f.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// order gives an order until it is carried out: a worker that was killed is taken for one that will obey until its word is too old.
func (f *fleet) order(i int, path string) {
	f.t.Helper()
	last := ""
	eventually(f.t, "the order "+path+" is carried out", func() bool {
		code, body := f.ask(i, http.MethodPost, path)
		if code != http.StatusNoContent && body != last {
			last = body
			f.t.Logf("%s: %d %s", path, code, strings.TrimSpace(body))
		}
		return code == http.StatusNoContent
	})
}

// parked counts what was put aside.
func (f *fleet) parked(i int) int {
	f.t.Helper()
	var page struct{ Letters []json.RawMessage }
	code, body := f.ask(i, http.MethodGet, "totals/letters")
	if code == http.StatusServiceUnavailable {
		return -1 // a shard is on its way
	}
	if err := json.Unmarshal([]byte(body), &page); err != nil || code != http.StatusOK {
		f.t.Fatalf("letters: %d %s, %v", code, body, err)
	}
	return len(page.Letters)
}

// rowsOf gives all rows of a version.
func rowsOf(t *testing.T, b *bank, from projector.Reader, version int) map[string]storyRow {
	t.Helper()
	rows := map[string]storyRow{}
	for row, err := range b.storyTotals(buildBoth)[version-1].(*projector.View[storyRow]).All(bounded(t), from) {
		if err != nil {
			t.Fatal(err)
		}
		rows[row.Key] = row.Value
	}
	return rows
}

// Three workers in processes of their own, under load, with kill -9 at every deployment. An event that the build cannot take parks its key while all
// others go on; the mended build is deployed and the key retried; then totals@2 is built beside totals@1 and takes over, while a reader that asks all
// the time gets no wrong answer. In the end the rows of both versions are those of a rebuild from zero.
func TestStoryOfThreeWorkers(t *testing.T) {
	f := newFleet(t)
	const sick = "acc-03"
	for i := range storyAccounts {
		f.mustDeposit(fmt.Sprintf("acc-%02d", i), int64(i+1))
	}

	// The poison parks its key, and what comes behind it waits, also over a kill.
	poison := f.mustDeposit(sick, storyPoison)
	behind := f.mustDeposit(sick, 4)
	for _, at := range []muster.Position{poison, behind} {
		if err := f.client(0).AwaitView(bounded(t), "totals", 0, at); muster.CodeOf(err) != muster.FailedPrecondition {
			t.Errorf("waiting for what was put aside: %v", err)
		}
	}
	f.kill(0)
	f.comeBack(0, buildFaulty)
	v1 := f.b.storyTotals(buildFaulty)[0].(*projector.View[storyRow])
	for i := range storyAccounts {
		id, want := fmt.Sprintf("acc-%02d", i), storyRow{Sum: 2 * int64(i+1), Events: 2}
		if id == sick {
			want = storyRow{Sum: 4, Events: 1}
		} else {
			f.mustDeposit(id, int64(i+1))
		}
		_, at := f.ledger.committed()
		if id == sick {
			at = nil
		}
		var got storyRow
		eventually(t, "the row of "+id, func() (is bool) {
			var err error
			got, err = v1.Get(bounded(t), f.client(i%3), id, projector.AtLeast(at...))
			if code := muster.CodeOf(err); code != muster.OK && code != muster.Unavailable && code != muster.DeadlineExceeded {
				t.Fatalf("%s beside the poison: %v", id, err)
			}
			return err == nil
		})
		if got != want {
			t.Errorf("%s beside the poison: %+v, want %+v", id, got, want)
		}
	}
	eventually(t, "two letters are listed", func() bool { return f.parked(1) == 2 })

	// The fix is deployed, one worker after another, and the key is retried.
	stop := f.load()
	defer stop()
	for i := range f.workers {
		f.kill(i)
		f.comeBack(i, buildFixed)
	}
	f.order(1, "totals/retry")
	if err := f.client(2).AwaitView(bounded(t), "totals", 0, behind); err != nil {
		t.Errorf("after the retry: %v", err)
	}
	eventually(t, "no letter is left", func() bool { return f.parked(0) == 0 })

	// Another version, built beside the one that answers, with a kill at each deployment and two around the switch.
	f.reader = newStoryReader(t, f.ledger, f.b, f.addresses())
	f.reader.awaits("totals@1")
	for i := range f.workers {
		f.kill(i)
		f.comeBack(i, buildBoth)
	}
	f.reader.more(6)
	f.kill(1) // while totals@2 is built, or has just been
	f.comeBack(1, buildBoth)
	f.order(0, "totals@2/serve")
	f.kill(2) // behind the switch
	f.reader.awaits("totals@2")
	f.comeBack(2, buildBoth)
	f.reader.more(6)
	stop()
	f.reader.more(3)
	f.reader.end()
	t.Logf("right answers %v, refused for a moment %d", f.reader.right, f.reader.refused)
	f.compare()
}

// compare holds the rows against those of a rebuild from zero, and both against what was deposited.
func (f *fleet) compare() {
	f.t.Helper()
	want, at := f.ledger.committed()
	fresh := start(f.t, service.Config{Name: f.b.group.Name() + "-fresh", Brokers: f.workers[0].config.Brokers, DataDir: f.t.TempDir()}, f.b.storyTotals(buildBoth)...)
	for version := 1; version <= 2; version++ {
		for _, end := range at {
			if err := fresh.AwaitView(bounded(f.t), "totals", version, end); err != nil {
				f.t.Fatal(err)
			}
			if err := f.client(0).AwaitView(bounded(f.t), "totals", version, end); err != nil {
				f.t.Fatal(err)
			}
		}
		got, rebuilt := rowsOf(f.t, f.b, f.client(version), version), rowsOf(f.t, f.b, fresh.Views(), version)
		truth := maps.Clone(want)
		if version == 1 {
			for id, row := range truth {
				truth[id] = storyRow{Sum: row.Sum, Events: row.Events}
			}
		}
		if !maps.Equal(got, rebuilt) || !maps.Equal(got, truth) {
			f.t.Errorf("totals@%d has %v\na rebuild from zero %v\nthe deposits %v", version, got, rebuilt, truth)
		}
	}
	for _, w := range f.workers {
		w.end()
	}
	http.DefaultClient.CloseIdleConnections()
}
