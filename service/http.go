package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Handler answers what those who run the service ask. It may be used at any time, before Run and after.
//
//	/livez     200 while the service moves, as Live says, else 503: restart it
//	/readyz    200 while it can do its work, as Ready says, else 503; ?verbose gives each check as JSON
//	/metrics   for Prometheus, when Config.Metrics is a registry that can be gathered; else 404
//	/views/    queries of the views, see [viewhttp.Handler], guarded by Config.AuthorizeQuery
//	/status    JSON: what every partition does, since when and why
//	/projections and what is under it: JSON, what projections do, and orders to them (see docs/operations.md)
//
// The texts name groups, partitions, brokers and errors, never payloads or secrets; but they are for operators: do not put them on the
// internet.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.Live()) })
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /status", s.serveStatus)
	s.handleProjections(mux)
	if s.queries != nil {
		mux.Handle("/views/", s.queries.handler)
	}
	if gatherer, is := s.cfg.Metrics.(prometheus.Gatherer); is {
		mux.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{}))
	}
	return mux
}

// answer is 200 and "ok", or 503 and the reason.
func answer(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, err)
		return
	}
	fmt.Fprintln(w, "ok")
}

// condition is one thing that readiness takes.
type condition struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Fault string `json:"fault,omitempty"`
}

func (s *Service) readyz(w http.ResponseWriter, r *http.Request) {
	if !r.URL.Query().Has("verbose") {
		answer(w, s.Ready())
		return
	}
	err := s.Ready()
	all := []condition{}
	add := func(name string, err error) {
		c := condition{Name: name, OK: err == nil}
		if err != nil {
			c.Fault = err.Error()
		}
		all = append(all, c)
	}
	add("running", s.ended())
	add("replies", s.reading())
	for _, o := range s.owners {
		add("group "+o.group.Name(), o.ready())
	}
	for _, p := range s.projections {
		add("projection "+p.String(), p.ready())
	}
	add("partitions", s.unstopped())
	add("connection", s.linked())
	writeJSON(w, err == nil, struct {
		Ready  bool        `json:"ready"`
		Checks []condition `json:"checks"`
	}{err == nil, all})
}

// partitionView is a [PartitionStatus] as /status shows it.
type partitionView struct {
	Group     string    `json:"group"`
	Partition int32     `json:"partition"`
	State     State     `json:"state"`
	Reason    string    `json:"reason,omitempty"`
	Cause     string    `json:"cause,omitempty"`
	Since     time.Time `json:"since"`
	Waiting   int       `json:"waiting,omitempty"`
	Crowded   bool      `json:"crowded,omitempty"`
}

func (s *Service) serveStatus(w http.ResponseWriter, _ *http.Request) {
	page := struct {
		Service    string          `json:"service"`
		Instance   string          `json:"instance"`
		Live       string          `json:"live"`
		Ready      string          `json:"ready"`
		Partitions []partitionView `json:"partitions"`
	}{Service: s.cfg.Name, Instance: s.name, Live: orOK(s.Live()), Ready: orOK(s.Ready()), Partitions: []partitionView{}}
	for _, p := range s.Status() {
		v := partitionView{Group: p.Group, Partition: p.Partition, State: p.State, Reason: p.Reason, Since: p.Since, Waiting: p.Waiting, Crowded: p.Crowded}
		if p.Cause != nil {
			v.Cause = p.Cause.Error()
		}
		page.Partitions = append(page.Partitions, v)
	}
	writeJSON(w, true, page)
}

func orOK(err error) string {
	if err != nil {
		return err.Error()
	}
	return "ok"
}

func writeJSON(w http.ResponseWriter, ok bool, page any) {
	w.Header().Set("Content-Type", "application/json")
	if !ok {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(page) // who asked has gone
}

const (
	headerTimeout = 5 * time.Second  // for the head of a request
	answerTimeout = 30 * time.Second // for all of an answer; gathering metrics can take a while
	closeTimeout  = 2 * time.Second  // for the answers under way at the end
)

// Serve answers with [Service.Handler] at an address, host:port, until ctx ends; then it finishes the answers under way, for two seconds at
// most, and returns nil. The error says why it cannot listen. Give it a context that ends after Run's, so that a service that drains can
// still be asked.
func (s *Service) Serve(ctx context.Context, address string) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("service %s: listen for operators: %w; choose another address", s.cfg.Name, err)
	}
	return s.ServeListener(ctx, listener)
}

// ServeListener is [Service.Serve] at a listener, which it closes.
func (s *Service) ServeListener(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: headerTimeout, WriteTimeout: answerTimeout}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("service %s: %w", s.cfg.Name, err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	err := server.Shutdown(last)
	if err != nil {
		err = server.Close() // who asks so slowly is cut off
	}
	if serving := <-ended; err == nil && !errors.Is(serving, http.ErrServerClosed) {
		err = serving
	}
	return err
}
