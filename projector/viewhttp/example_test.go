package viewhttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/viewhttp"
)

// exampleStore gives a view and a store that holds some of its rows.
func exampleStore(ctx context.Context) (*projector.View[total], *projector.Store, error) {
	view := projector.NewView[total]("totals")
	store, err := projector.OpenStore(projector.StoreConfig{Views: []projector.AnyView{view}})
	if err != nil {
		return nil, nil, err
	}
	held, err := store.Claim(ctx, projector.Shard{Projection: view.String(), Name: view.Name(), Version: 1, Sources: []projector.Source{{Topic: topic}}})
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	batch, err := held.Begin(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	rows := view.Hand(batch.Tx())
	err = errors.Join(rows.Put("acc-1", total{"ann", 10}), rows.Put("acc-2", total{"bob", 20}), rows.Add("all", 30))
	at := projector.Checkpoint{Source: projector.Source{Topic: topic}, Next: 3, LastAt: 2}
	return view, store, errors.Join(err, batch.Commit(ctx, projector.Change{Checkpoints: []projector.Checkpoint{at}}))
}

// A handler serves what a store, a router or a service reads.
func ExampleNew() {
	_, store, err := exampleStore(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	handler := viewhttp.New(store, viewhttp.Options{})
	defer handler.Close()
	for _, path := range []string{"/views/totals/rows/acc-1", "/views/totals/counters/all", "/views/totals/rows/acc-3"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		body, _ := io.ReadAll(w.Body)
		fmt.Print(w.Code, " ", string(body))
	}
	// Output:
	// 200 {"view":"totals@1","key":"acc-1","value":{"owner":"ann","sum":10},"position":["AQACYWNjb3VudHMuZXZlbnRz"]}
	// 200 {"view":"totals@1","name":"all","value":30,"position":["AQACYWNjb3VudHMuZXZlbnRz"]}
	// 404 {"code":"NOT_FOUND","message":"view totals@1 has no such row","reason":"no-row"}
}

// The methods of a view work over a client, as they do inside of the service.
func ExampleNewClient() {
	ctx := context.Background()
	totals, store, err := exampleStore(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	handler := viewhttp.New(store, viewhttp.Options{})
	server := httptest.NewServer(handler)
	defer server.Close()
	defer handler.Close()

	client, err := viewhttp.NewClient(server.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	row, err := totals.Get(ctx, client, "acc-2", projector.AtLeast(at(2))) // not before this position is applied
	fmt.Println(row.Owner, row.Sum, err)
	done := errors.New("seen enough")
	err = totals.Watch(ctx, client, func(c projector.RowChange[total]) error {
		fmt.Println(c.Row.Key, c.Row.Value.Sum)
		if c.Row.Key == "acc-2" {
			return done
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// bob 20 <nil>
	// acc-1 10
	// acc-2 20
	// seen enough
}
