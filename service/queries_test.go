package service_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/viewhttp"
	"github.com/seed-3eec0498/muster/service"
)

// replica is an instance that runs a view and answers queries.
type replica struct {
	*running
	view    *projector.View[balance]
	address string
	end     func()
}

// newReplica starts one. Its address is known before it is opened.
func newReplica(t *testing.T, cfg service.Config, view *projector.View[balance]) *replica {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.QueryAddress = "http://" + listener.Addr().String()
	if cfg.DataDir == "" {
		cfg.DataDir = t.TempDir()
	}
	v := &replica{running: start(t, cfg, view), view: view, address: cfg.QueryAddress}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error, 1)
	go func() { served <- v.ServeListener(ctx, listener) }()
	v.end = sync.OnceFunc(func() {
		v.running.end()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(v.end)
	return v
}

// Three instances share a view. Whichever is asked, and over HTTP from outside, every row is found, once, and a position is waited for where its
// shard is; while instances come and go the worst answer is: ask again.
func TestQueriesOverInstances(t *testing.T) {
	brokers := kafkatest.Embedded(t, embedded.Config{}).Brokers()
	b := newBank(t, muster.Partitions(6))
	owner := start(t, service.Config{Name: kafkatest.UniqueName(t, "bank"), Brokers: brokers, DataDir: t.TempDir()}, b.owner(nil))
	const accounts = 20
	var last muster.Position
	for i := range accounts {
		var err error
		if _, last, err = callFor(t, owner, b, fmt.Sprintf("acc-%02d", i), int64(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	cfg := service.Config{Name: kafkatest.UniqueName(t, "views"), Brokers: brokers}
	var replicas []*replica
	for n, opts := range [][]projector.Option{{}, {projector.RouteBy(projector.ByKey)}} {
		cfg.Instance = fmt.Sprintf("pod-%d", n)
		replicas = append(replicas, newReplica(t, cfg, b.totals(opts...)))
	}
	client, err := viewhttp.NewClient(replicas[0].address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.AwaitView(bounded(t), "totals", 0, last); err != nil {
		t.Fatal(err)
	}
	var from sync.Map // the readers that are asked
	from.Store("http", projector.Reader(client))
	from.Store("1", replicas[1].Views())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var readers sync.WaitGroup
	answers := make(chan string)
	for _, name := range []string{"http", "1", "2"} {
		readers.Go(func() {
			for turn := 0; ctx.Err() == nil; turn++ {
				reader, there := from.Load(name)
				if !there {
					reader, _ = from.Load("1")
				}
				switch err := lookAt(ctx, replicas[1].view, reader.(projector.Reader), turn, accounts); {
				case err == nil:
					select {
					case answers <- name:
					case <-ctx.Done():
					}
				case muster.CodeOf(err) != muster.Unavailable && ctx.Err() == nil:
					t.Errorf("reader %s: %v", name, err)
				}
			}
		})
	}
	some := func(n int) {
		t.Helper()
		for bound := bounded(t); n > 0; n-- {
			select {
			case <-answers:
			case <-bound.Done():
				t.Fatal("no reader gets an answer")
			}
		}
	}
	some(30)
	cfg.Instance = "pod-2"
	third := newReplica(t, cfg, b.totals())
	from.Store("2", third.Views())
	some(100)
	holders, err := replicas[0].Placement(bounded(t), "totals", 1)
	if err != nil || len(holders) != 6 {
		t.Fatal(holders, err)
	}
	from.Delete("2")
	some(30)
	third.end()
	some(100)
	cancel()
	readers.Wait()
	names := map[string]string{}
	for _, h := range holders {
		names[h.Name] = h.Address
	}
	if len(names) != 3 || names["pod-2"] != third.address {
		t.Errorf("the holders were %v", names)
	}
	_, at, err := callFor(t, owner, b, "acc-00", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range replicas { // one of which does not hold it
		if err := v.AwaitView(bounded(t), "totals", 1, at); err != nil {
			t.Error(err)
		}
		row, err := v.view.Get(bounded(t), v.Views(), "acc-00", projector.AtLeast(at))
		if err != nil || row.Sum != 101 {
			t.Errorf("%+v, %v", row, err)
		}
	}
	if code, body := asked(replicas[0].Handler(), "/views/totals/rows/acc-00"); code != http.StatusOK {
		t.Errorf("%d %s", code, body)
	}
}

// lookAt reads a row, or all rows, and says what is wrong.
func lookAt(ctx context.Context, view *projector.View[balance], from projector.Reader, turn, accounts int) error {
	if turn%3 > 0 {
		n := turn % accounts
		row, err := view.Get(ctx, from, fmt.Sprintf("acc-%02d", n))
		if err == nil && row.Sum != int64(n+1) {
			return fmt.Errorf("account %d has %+v", n, row)
		}
		return err
	}
	n := 0
	for row, err := range view.All(ctx, from, projector.Limit(7)) {
		if err != nil {
			return err
		}
		if want := fmt.Sprintf("acc-%02d", n); row.Key != want {
			return fmt.Errorf("row %q where %q belongs", row.Key, want)
		}
		n++
	}
	if n != accounts {
		return fmt.Errorf("%d rows", n)
	}
	return nil
}
