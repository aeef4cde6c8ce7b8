package viewhttp_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/viewhttp"
)

// served puts a handler behind a listener.
func served(t *testing.T, reader projector.Reader, opts viewhttp.Options) *httptest.Server {
	t.Helper()
	h := viewhttp.New(reader, opts)
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		h.Close()
		server.Close()
	})
	return server
}

// ask gives an answer and its body.
func ask(t *testing.T, url string, head ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(head); i += 2 {
		r.Header.Set(head[i], head[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, strings.TrimSpace(string(body))
}

func totals() *copyOf {
	c := newCopy("totals@2")
	c.put("acc-1", `{"balance": 10}`)
	c.put("acc-2", `{"balance": 20}`)
	c.put("b/ä", `{"balance": 30}`)
	c.counters["all"] = 60
	return c
}

// What the endpoints answer, byte for byte.
func TestAnswers(t *testing.T) {
	c := totals()
	c.putRow(projector.RawRow{Key: "proto", Value: mustMarshal(t, wrapperspb.String("hi")), ContentType: muster.ContentProtobuf})
	c.putRow(projector.RawRow{Key: "raw", Value: []byte{0xff, 0}})
	server := served(t, c, viewhttp.Options{Message: func(view string) proto.Message {
		if view != "totals" {
			return nil
		}
		return &wrapperspb.StringValue{}
	}})
	token := at(4).Token()
	for _, want := range []struct{ path, body string }{
		{"/views/totals/rows/acc-1", `{"view":"totals@2","key":"acc-1","value":{"balance":10},"position":["` + token + `"]}`},
		{"/views/totals@2/rows/b%2F%C3%A4", `{"view":"totals@2","key":"b/ä","value":{"balance":30},"position":["` + token + `"]}`},
		{"/views/totals/rows/proto", `{"view":"totals@2","key":"proto","value":"hi","position":["` + token + `"]}`},
		{"/views/totals/rows/raw", `{"view":"totals@2","key":"raw","base64":"/wA=","content_type":"application/octet-stream","position":["` + token + `"]}`},
		{
			"/views/totals/rows?prefix=acc&limit=1",
			`{"view":"totals@2","rows":[{"key":"acc-1","value":{"balance":10}}],"token":"acc-1\u00000","position":["` + token + `"]}`,
		},
		{
			"/views/totals/rows?prefix=acc&token=acc-1%000",
			`{"view":"totals@2","rows":[{"key":"acc-2","value":{"balance":20}}],"position":["` + token + `"]}`,
		},
		{"/views/totals/rows?from=b&to=c&reverse=true", `{"view":"totals@2","rows":[{"key":"b/ä","value":{"balance":30}}],"position":["` + token + `"]}`},
		{"/views/totals/rows?index=first&index_key=b", `{"view":"totals@2","rows":[{"key":"b/ä","value":{"balance":30}}],"position":["` + token + `"]}`},
		{"/views/totals/rows?key=none", `{"view":"totals@2","rows":[],"position":["` + token + `"]}`},
		{"/views/totals/counters/all", `{"view":"totals@2","name":"all","value":60,"position":["` + token + `"]}`},
	} {
		answer, body := ask(t, server.URL+want.path)
		if answer.StatusCode != http.StatusOK || body != want.body {
			t.Errorf("%s: %d\n got %s\nwant %s", want.path, answer.StatusCode, body, want.body)
		}
		if h := answer.Header; h.Get(viewhttp.HeaderView) != "totals@2" || h.Get(viewhttp.HeaderPosition) != token || h.Get("Content-Type") != "application/json" ||
			h.Get("Access-Control-Allow-Origin") != "" || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", want.path, h)
		}
	}
	if answer, body := ask(t, server.URL+"/views/totals/rows/acc-1", "Accept", "text/html, application/octet-stream;q=0.9"); body != `{"balance": 10}` ||
		answer.Header.Get("Content-Type") != muster.ContentJSON || answer.Header.Get(viewhttp.HeaderPosition) != token {
		t.Errorf("raw: %q %v", body, answer.Header)
	}
}

func mustMarshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Every error comes with the status of its code, as JSON.
func TestErrors(t *testing.T) {
	c := totals()
	server := served(t, c, viewhttp.Options{})
	plain := errors.New("secret text of a store")
	stopped := muster.Errorf(muster.FailedPrecondition, "shard 3 is stopped; resume it")
	for _, want := range []struct {
		fail           error
		path           string
		status         int
		code, reason   string
		says, neverHas string
	}{
		{nil, "/views/totals/rows/none", 404, "NOT_FOUND", viewhttp.ReasonNoRow, "no such row", ""},
		{nil, "/views/others/rows/acc-1", 404, "NOT_FOUND", "", "no view others", ""},
		{nil, "/views/totals@x/rows", 400, "INVALID_ARGUMENT", viewhttp.ReasonBadRequest, "version", ""},
		{nil, "/views/totals@01/rows", 400, "INVALID_ARGUMENT", viewhttp.ReasonBadRequest, "version", ""},
		{nil, "/views/to%20tals/rows", 400, "INVALID_ARGUMENT", viewhttp.ReasonBadRequest, "name", ""},
		{nil, "/views/totals/rows?form=b", 400, "INVALID_ARGUMENT", viewhttp.ReasonBadRequest, "form", ""},
		{nil, "/views/totals/rows?prefx=b", 400, "INVALID_ARGUMENT", viewhttp.ReasonBadRequest, "prefx", ""},
		{nil, "/views/totals/rows?prefix=b&prefix=c", 400, "INVALID_ARGUMENT", viewhttp.ReasonBadRequest, "twice", ""},
		{nil, "/views/totals/rows?key=", 400, "INVALID_ARGUMENT", viewhttp.ReasonBadRequest, "empty", ""},
		{nil, "/views/totals/rows?index=a&key=b", 400, "INVALID_ARGUMENT", viewhttp.ReasonBadRequest, "index_key", ""},
		{nil, "/views/totals/rows?index_key=b", 400, "INVALID_ARGUMENT", viewhttp.ReasonBadRequest, "index", ""},
		{nil, "/views/totals/rows?limit=1001", 400, "INVALID_ARGUMENT", viewhttp.ReasonBadRequest, "limit", ""},
		{nil, "/views/totals/rows?limit=0", 400, "INVALID_ARGUMENT", viewhttp.ReasonBadRequest, "limit", ""},
		{nil, "/views/totals/rows?reverse=maybe", 400, "INVALID_ARGUMENT", viewhttp.ReasonBadRequest, "reverse", ""},
		{nil, "/views/totals/rows?timeout=-1s", 400, "INVALID_ARGUMENT", viewhttp.ReasonBadRequest, "timeout", ""},
		{nil, "/views/totals/rows?shards=a", 400, "INVALID_ARGUMENT", viewhttp.ReasonBadRequest, "shards", ""},
		{nil, "/views/totals/rows?min-position=%21", 400, "INVALID_ARGUMENT", "bad-token", "token", ""},
		{nil, "/views/totals/rows?prefix=" + strings.Repeat("x", 5000), 400, "INVALID_ARGUMENT", viewhttp.ReasonBadRequest, "4096", ""},
		{nil, "/views/totals/wait", 400, "INVALID_ARGUMENT", viewhttp.ReasonBadRequest, "min-position", ""},
		{nil, "/views/totals/rows?timeout=20ms&min-position=" + at(9).Token(), 504, "DEADLINE_EXCEEDED", viewhttp.ReasonNotReached, "accounts.events[0]@9", ""},
		{nil, "/views/totals/wait?timeout=20ms&min-position=" + at(9).Token(), 504, "DEADLINE_EXCEEDED", viewhttp.ReasonNotReached, "accounts.events[0]@9", ""},
		{plain, "/views/totals/rows", 500, "INTERNAL", "", "log of the service", "secret"},
		{stopped, "/views/totals/watch", 400, "FAILED_PRECONDITION", "", "resume it", ""},
		{muster.Errorf(muster.Unavailable, "moving"), "/views/totals/rows/acc-1", 503, "UNAVAILABLE", "", "moving", ""},
	} {
		c.change(func() { c.fail = want.fail })
		answer, body := ask(t, server.URL+want.path)
		var got struct {
			Code, Message, Reason string
			Retry                 bool
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Errorf("%s: %v\n%s", want.path, err, body)
		}
		if answer.StatusCode != want.status || got.Code != want.code || got.Reason != want.reason || !strings.Contains(got.Message, want.says) ||
			want.neverHas != "" && strings.Contains(body, want.neverHas) {
			t.Errorf("%.80s: %d %s", want.path, answer.StatusCode, body)
		}
		if after := answer.Header.Get("Retry-After"); (after == "1") != (got.Retry || want.status == http.StatusServiceUnavailable) {
			t.Errorf("%s: Retry-After %q, retry %v", want.path, after, got.Retry)
		}
	}
}

// A read waits for the position; a stale one is given only to whom asks, and says so.
func TestPositionAndStale(t *testing.T) {
	c := totals()
	server := served(t, c, viewhttp.Options{})
	done, blocked := make(chan string), c.whenBlocked()
	go func() {
		_, body := ask(t, server.URL+"/views/totals/rows/acc-1", viewhttp.HeaderMinPosition, at(0).Token()+", "+at(3).Token())
		done <- body
	}()
	<-blocked
	c.put("acc-1", `{"balance":11}`)
	if body := <-done; !strings.Contains(body, `{"balance":11}`) {
		t.Errorf("got %s", body)
	}
	if answer, _ := ask(t, server.URL+"/views/totals/wait?min-position="+at(3).Token()); answer.StatusCode != http.StatusNoContent {
		t.Errorf("wait: %d", answer.StatusCode)
	}
	c.change(func() { c.stale = true })
	if answer, body := ask(t, server.URL+"/views/totals/rows/acc-1"); answer.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "stale=true") {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
	answer, body := ask(t, server.URL+"/views/totals/rows/acc-1?stale")
	if answer.StatusCode != http.StatusOK || !strings.HasSuffix(body, `"stale":true}`) || answer.Header.Get(viewhttp.HeaderStale) != "true" {
		t.Errorf("%d %s %v", answer.StatusCode, body, answer.Header)
	}
}

// The limits: rights, methods, bodies, headers, requests under way, bytes of a page; and the end.
func TestLimits(t *testing.T) {
	c := totals()
	var h *viewhttp.Handler
	asked := 0
	h = viewhttp.New(c, viewhttp.Options{
		Reads: 1, PageBytes: 30,
		Authorize: func(r *http.Request) error {
			asked++
			switch r.Header.Get("Authorization") {
			case "":
				return muster.Errorf(muster.Unauthenticated, "say who you are")
			case "wrong":
				return errors.New("token 1234 is not known")
			case "nested": // while this request is under way there is no place for another one
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/views/totals/rows", nil))
				if w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), viewhttp.ReasonTooManyReads) || w.Header().Get("Retry-After") == "" {
					t.Errorf("a second request: %d %s", w.Code, w.Body)
				}
			case "panic":
				panic("with 1234")
			}
			return nil
		},
	})
	do := func(method, path, rights, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		if rights != "" {
			r.Header.Set("Authorization", rights)
		}
		h.ServeHTTP(w, r)
		return w
	}
	for _, want := range []struct {
		method, path, rights, body string
		status                     int
	}{
		{http.MethodGet, "/views/totals/rows", "", "", 401},
		{http.MethodGet, "/views/totals/rows", "wrong", "", 403},
		{http.MethodGet, "/views/totals/rows", "nested", "", 200},
		{http.MethodGet, "/views/totals/rows", "panic", "", 500},
		{http.MethodGet, "/views/totals/rows", "nested", "", 200},
		{http.MethodGet, "/views/totals/watch", "wrong", "", 403},
		{http.MethodPost, "/views/totals/rows", "ok", "", 405},
		{http.MethodDelete, "/views/totals/rows/acc-1", "ok", "", 405},
		{http.MethodGet, "/views/totals/rows", "ok", "body", 400},
		{http.MethodGet, "/views/totals/rows", strings.Repeat("x", 17<<10), "", 400},
		{http.MethodGet, "/elsewhere", "ok", "", 404},
	} {
		if w := do(want.method, want.path, want.rights, want.body); w.Code != want.status || strings.Contains(w.Body.String(), "1234") {
			t.Errorf("%s %s %.10s: %d, want %d: %s", want.method, want.path, want.rights, w.Code, want.status, w.Body)
		}
	}
	if asked != 6 {
		t.Errorf("the rights were asked for %d times", asked)
	}
	w := do(http.MethodGet, "/views/totals/rows", "ok", "")
	if body := w.Body.String(); strings.Count(body, `"key"`) != 1 || !strings.Contains(body, `"token":"acc-1`) {
		t.Errorf("a page over 30 bytes: %s", body)
	}
	h.Close()
	if w := do(http.MethodGet, "/views/totals/rows", "ok", ""); w.Code != http.StatusServiceUnavailable {
		t.Errorf("after Close: %d", w.Code)
	}
}

// Close ends what is under way, and waits for it.
func TestCloseEndsRequests(t *testing.T) {
	c := totals()
	h := viewhttp.New(c, viewhttp.Options{})
	server := httptest.NewServer(h)
	defer server.Close()
	watch := open(t, server.URL+"/views/totals/watch?key=acc-1", "")
	watch.want(t, "row", "acc-1")
	waited := make(chan error)
	blocked := c.whenBlocked()
	go func() { waited <- client(t, server.URL).AwaitView(t.Context(), "totals", 0, at(99)) }()
	<-blocked
	h.Close()
	if err := <-waited; muster.CodeOf(err) != muster.Unavailable || muster.ReasonOf(err) != "shutting-down" {
		t.Errorf("a wait ended with %v", err)
	}
	if ev := watch.next(t); ev.name != "error" || !strings.Contains(ev.data, "shutting-down") {
		t.Errorf("the stream ended with %v", ev)
	}
	if ev, more := watch.read(); more {
		t.Errorf("after the end: %v", ev)
	}
}
