package service_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/service"
)

// asked gives what the handler answers.
func asked(h http.Handler, path string) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func wantAnswer(t *testing.T, h http.Handler, path string, code int, says ...string) {
	t.Helper()
	got, body := asked(h, path)
	if got != code {
		t.Errorf("%s: %d, want %d\n%s", path, got, code, body)
	}
	for _, text := range says {
		if !strings.Contains(body, text) {
			t.Errorf("%s does not say %q:\n%s", path, text, body)
		}
	}
}

// The pages through the life of a service: opened, running, ended.
func TestHandler(t *testing.T) {
	b := newBank(t, muster.Partitions(2))
	cfg := service.Config{
		Name: kafkatest.UniqueName(t, "bank"), Brokers: kafkatest.Brokers(t), DataDir: t.TempDir(), Instance: "one", Metrics: prometheus.NewRegistry(),
	}
	opened, err := service.Open(t.Context(), cfg, b.owner(nil))
	if err != nil {
		t.Fatal(err)
	}
	h := opened.Handler()
	wantAnswer(t, h, "/livez", http.StatusOK, "ok")
	wantAnswer(t, h, "/readyz", http.StatusServiceUnavailable, "Run has not begun")
	wantAnswer(t, h, "/readyz?verbose", http.StatusServiceUnavailable, `"ready": false`, `"name": "replies"`, "Run has not begun")
	if err := opened.Close(); err != nil {
		t.Fatal(err)
	}

	cfg.Metrics = prometheus.NewRegistry()
	running := start(t, cfg, b.owner(nil))
	if _, err := b.deposit.Call(t.Context(), running.Client(), "acc-1", deposit{Amount: 1}); err != nil {
		t.Fatal(err)
	}
	h = running.Handler()
	wantAnswer(t, h, "/livez", http.StatusOK, "ok")
	wantAnswer(t, h, "/readyz", http.StatusOK, "ok")
	wantAnswer(t, h, "/readyz?verbose", http.StatusOK, `"ready": true`, `"name": "group `+b.group.Name(), `"name": "connection"`)
	wantAnswer(t, h, "/metrics", http.StatusOK, `muster_events_total{group="`+b.group.Name()+`"} 1`)
	wantAnswer(t, h, "/elsewhere", http.StatusNotFound)
	var page struct {
		Service, Instance, Live, Ready string
		Partitions                     []struct {
			Group     string
			Partition int32
			State     string
			Since     time.Time
		}
	}
	_, body := asked(h, "/status")
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		t.Fatal(err)
	}
	if page.Service != cfg.Name || page.Instance != "one" || page.Live != "ok" || page.Ready != "ok" || len(page.Partitions) != 2 {
		t.Errorf("/status:\n%s", body)
	}
	for i, p := range page.Partitions {
		if p.Group != b.group.Name() || p.Partition != int32(i) || p.State != string(service.Serving) || p.Since.IsZero() {
			t.Errorf("/status has %+v", p)
		}
	}
	running.end()
	wantAnswer(t, h, "/livez", http.StatusServiceUnavailable, "closed")
	wantAnswer(t, h, "/readyz", http.StatusServiceUnavailable, "closed")
	wantAnswer(t, h, "/status", http.StatusOK, `"live": "service: closed"`)
}

// A lane that holds work and does not move for three times the longest step makes liveness fail, and nothing else does.
func TestLivenessOfAStuckLane(t *testing.T) {
	b := newBank(t, muster.Partitions(1))
	var block sync.Mutex
	cfg := service.Config{
		Name: kafkatest.UniqueName(t, "bank"), Brokers: kafkatest.Brokers(t), DataDir: t.TempDir(),
		HandlerDeadline: 50 * time.Millisecond, TransactionTimeout: 500 * time.Millisecond,
		Failpoint: func(point string) {
			if point == "committed" {
				block.Lock()
				block.Unlock() //nolint:staticcheck // passes when the test lets it
			}
		},
	}
	s := start(t, cfg, b.owner(nil))
	h := s.Handler()
	wantAnswer(t, h, "/livez", http.StatusOK)
	block.Lock()
	release := sync.OnceFunc(block.Unlock)
	defer release()
	if _, err := b.deposit.Send(t.Context(), s.Client(), "acc-1", deposit{Amount: 1}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "liveness fails", func() bool { code, _ := asked(h, "/livez"); return code == http.StatusServiceUnavailable })
	wantAnswer(t, h, "/livez", http.StatusServiceUnavailable, "lane 0 has work in hand and has not moved", b.group.Name())
	wantAnswer(t, h, "/readyz", http.StatusOK)
	release()
	eventually(t, "liveness is back", func() bool { code, _ := asked(h, "/livez"); return code == http.StatusOK })
}

// Serve answers while ctx lasts, then ends in order.
func TestServe(t *testing.T) {
	cfg := service.Config{Name: kafkatest.UniqueName(t, "desk"), Brokers: kafkatest.Brokers(t)}
	s := start(t, cfg)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.ServeListener(ctx, listener) }()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+"/livez", nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("%s, %v", answer.Status, err)
	}
	if err := s.Serve(t.Context(), listener.Addr().String()); err == nil || !strings.Contains(err.Error(), "choose another address") {
		t.Errorf("a second server at the same address: %v", err)
	}
	wantAnswer(t, s.Handler(), "/metrics", http.StatusNotFound) // no registry was given
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
