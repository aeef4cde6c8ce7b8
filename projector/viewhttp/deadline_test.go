package viewhttp_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster/projector/viewhttp"
)

// A server with the timeouts that are good against slow clients cuts neither streams nor requests that wait, over HTTP/1.1 and HTTP/2.
func TestTimeoutsOfTheServer(t *testing.T) {
	const timeout = 500 * time.Millisecond // a request has to arrive within it
	for _, two := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %v", two), func(t *testing.T) {
			t.Parallel()
			var protocols http.Protocols
			protocols.SetHTTP1(!two)
			protocols.SetUnencryptedHTTP2(two)
			h := viewhttp.New(newCopy("totals@1"), viewhttp.Options{Heartbeat: 2 * timeout})
			server := httptest.NewUnstartedServer(h)
			server.Config.ReadTimeout, server.Config.WriteTimeout, server.Config.Protocols = timeout, timeout, &protocols
			server.Start()
			transport := &http.Transport{Protocols: &protocols}
			t.Cleanup(func() {
				h.Close()
				transport.CloseIdleConnections()
				server.Close()
			})
			get := func(path string) *http.Response {
				t.Helper()
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				answer, err := transport.RoundTrip(r)
				if err != nil {
					t.Fatalf("%s: %v", path, err)
				}
				t.Cleanup(func() { answer.Body.Close() })
				if got := answer.ProtoMajor == 2; got != two {
					t.Fatalf("HTTP/2: %v, want %v", got, two)
				}
				return answer
			}
			events := viewhttp.NewEvents(get("/views/totals/watch").Body, 1<<20)
			for beats := range 2 {
				if name, _, data, err := events.Next(); err != nil || name != "" {
					t.Fatalf("after %d heartbeats: %s %q, %v", beats, name, data, err)
				}
			}
			answer := get("/views/totals/wait?timeout=700ms&min-position=" + at(7).Token())
			body, err := io.ReadAll(answer.Body)
			if err != nil || answer.StatusCode != http.StatusGatewayTimeout || !strings.Contains(string(body), "not-reached") {
				t.Errorf("a wait for longer than the server's timeouts: %s %s, %v", answer.Status, body, err)
			}
		})
	}
}
