package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	bank "github.com/seed-3eec0498/muster/examples/bank"
	"github.com/seed-3eec0498/muster/examples/internal/stagetest"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

// answer is what came back, with all members that the face knows.
type answer struct {
	status       int
	header       http.Header
	text         string
	ID, Holder   string
	Balance      int64
	Revision     uint64
	Repeated     bool
	Code, Reason string
	Detail       string
	CommandID    string
	Overdraft    *struct{ Balance, Missing int64 }
	Status       int
	Title        string
}

// browser speaks HTTP to one address.
type browser struct {
	t    *testing.T
	http *http.Client
	base string
}

func (b browser) do(method, path, body string, headers ...string) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.base+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	got, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	a := answer{status: got.StatusCode, header: got.Header, text: string(text)}
	if strings.Contains(got.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(text, &a); err != nil {
			b.t.Fatalf("%s %s answered %q: %v", method, path, text, err)
		}
	}
	return a
}

// owner runs the program with a face on a free port; the browser knows where. end interrupts it and gives the exit code.
func owner(t *testing.T, more ...string) (b browser, end func() int) {
	t.Setenv(kafkatest.BrokersVariable, strings.Join(kafkatest.Brokers(t), ","))
	ctx, interrupt := context.WithCancel(t.Context())
	printed, out := io.Pipe()
	var errs bytes.Buffer // read after the end
	ended := make(chan int, 1)
	go func() {
		code := bank.Main(ctx, append([]string{"-http", "127.0.0.1:0", "-prefix", kafkatest.UniqueName(t, "bank-http") + "."}, more...), strings.NewReader(""), out, &errs)
		out.Close()
		ended <- code
	}()
	b = browser{t: t, http: &http.Client{Timeout: time.Minute}}
	lines := bufio.NewScanner(printed)
	for b.base == "" && lines.Scan() {
		_, b.base, _ = strings.Cut(lines.Text(), "http: listening on ")
	}
	if b.base == "" {
		t.Fatalf("the owner ended with code %d before it listened: %s", <-ended, errs.String())
	}
	rest := make(chan struct{})
	go func() {
		defer close(rest)
		_, _ = io.Copy(io.Discard, printed)
	}()
	return b, func() int {
		b.http.CloseIdleConnections()
		interrupt()
		<-rest
		code := <-ended
		if errs.Len() > 0 {
			t.Errorf("it complained: %s", errs.String())
		}
		return code
	}
}

func TestFace(t *testing.T) {
	b, end := owner(t)
	const key = "Idempotency-Key"
	if a := b.do("GET", "/readyz", ""); a.status != 200 || a.text != "ok\n" {
		t.Errorf("readyz: %d %q", a.status, a.text)
	}
	if a := b.do("GET", "/livez", ""); a.status != 200 {
		t.Errorf("livez: %d %q", a.status, a.text)
	}
	for _, id := range []string{"ada", "bob"} {
		if a := b.do("POST", "/accounts/"+id, `{"holder":"`+id+`"}`); a.status != 201 || a.ID != id || a.Revision != 1 || a.header.Get(key) == "" {
			t.Errorf("open: %d %s", a.status, a.text)
		}
	}
	if a := b.do("POST", "/accounts/ada", `{"holder":"Ada"}`); a.status != 409 || a.Code != "ALREADY_EXISTS" {
		t.Errorf("open again: %d %s", a.status, a.text)
	}
	for _, repeated := range []bool{false, true} {
		a := b.do("POST", "/accounts/ada/deposits", `{"amount":25000,"text":"salary"}`, key, "d-1")
		if a.status != 200 || a.Balance != 25000 || a.Revision != 2 || a.Repeated != repeated || a.header.Get("ETag") != `"2"` || a.header.Get(key) != "d-1" {
			t.Errorf("deposit: %d %s", a.status, a.text)
		}
	}
	if a := b.do("POST", "/accounts/ada/deposits", `{"amount":1}`, key, "d-1"); a.status != 422 || a.Reason != muster.ReasonIDReused || a.CommandID != "d-1" {
		t.Errorf("the key for something else: %d %s", a.status, a.text)
	}
	a := b.do("POST", "/accounts/ada/withdrawals", `{"amount":30000}`)
	if a.status != 409 || a.Status != 409 || a.Code != "FAILED_PRECONDITION" || a.Detail != "account ada is short of 50.00" || a.Overdraft == nil ||
		a.Overdraft.Missing != 5000 || a.Title != "Conflict" || a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("too much: %d %s", a.status, a.text)
	}
	if a := b.do("POST", "/accounts/ada/withdrawals", `{"amount":100}`, "If-Match", `"1"`); a.status != 412 || a.Reason != muster.ReasonConflict {
		t.Errorf("on old facts: %d %s", a.status, a.text)
	}
	for path, body := range map[string]string{"/accounts/ada/deposits": `{"amount":"much"}`, "/transfers": `{"from":"ada","to":"ada","amount":1}`} {
		if a := b.do("POST", path, body); a.status != 400 || a.Code != "INVALID_ARGUMENT" {
			t.Errorf("%s %s: %d %s", path, body, a.status, a.text)
		}
	}
	for _, repeated := range []bool{false, true} {
		if a := b.do("POST", "/transfers", `{"from":"ada","to":"bob","amount":5000,"text":"rent"}`, key, "t-1"); a.status != 200 || a.Balance != 20000 || a.Repeated != repeated {
			t.Errorf("transfer: %d %s", a.status, a.text)
		}
	}
	if a := b.do("POST", "/transfers", `{"from":"ada","to":"nobody","amount":5000}`, key, "t-2"); a.status != 404 || a.Detail != "account nobody does not exist" {
		t.Errorf("transfer to nobody: %d %s", a.status, a.text)
	}
	if a := b.do("GET", "/transfers/t-2", ""); a.status != 404 || a.Detail != "account nobody does not exist" {
		t.Errorf("what became of the transfer to nobody: %d %s", a.status, a.text)
	}
	if a := b.do("GET", "/accounts/ada", ""); a.status != 200 || a.Balance != 20000 || a.Revision != 5 {
		t.Errorf("ada, after the money came back: %d %s", a.status, a.text)
	}
	if a := b.do("POST", "/accounts/bob/deposits", `{"amount":1}`, "Prefer", "respond-async", key, "d-2"); a.status != 202 || a.CommandID != "d-2" || a.header.Get("Location") != "/accounts/bob/commands/d-2" {
		t.Errorf("without waiting: %d %s, %v", a.status, a.text, a.header)
	}
	if a := b.do("GET", "/accounts/bob/commands/d-2", ""); a.status != 200 || a.Balance != 5001 || a.Revision != 3 {
		t.Errorf("what became of it: %d %s", a.status, a.text)
	}
	if a := b.do("GET", "/accounts/bob/commands/d-3", ""); a.status != 404 || a.CommandID != "d-3" {
		t.Errorf("what became of a command that was never sent: %d %s", a.status, a.text)
	}
	if a := b.do("GET", "/transfers/t-1", ""); a.status != 200 || a.Balance != 20000 {
		t.Errorf("what became of the transfer: %d %s", a.status, a.text)
	}
	if a := b.do("GET", "/accounts/bob", ""); a.status != 200 || a.Balance != 5001 || a.Revision != 3 {
		t.Errorf("bob, who is asked after the deposit is durable: %d %s", a.status, a.text)
	}
	if a := b.do("GET", "/accounts/nobody", ""); a.status != 404 || a.Code != "NOT_FOUND" {
		t.Errorf("nobody: %d %s", a.status, a.text)
	}
	if a := b.do("GET", "/metrics", ""); a.status != 200 || !strings.Contains(a.text, "muster_") {
		t.Errorf("metrics: %d", a.status)
	}
	if a := b.do("DELETE", "/accounts/ada", ""); a.status != 405 {
		t.Errorf("what an account cannot do: %d", a.status)
	}
	if code := end(); code != 0 {
		t.Errorf("exit code %d after an interrupt", code)
	}
}

// silent takes every command and never answers.
type silent struct{}

func (silent) SendCommands(_ context.Context, _ *muster.Group, cmds []*muster.Command) []error {
	return make([]error, len(cmds))
}

func TestAnUnknownOutcomeTellsTheCommandID(t *testing.T) {
	client := muster.NewClient(muster.ClientConfig{Sender: silent{}, ReplyTo: muster.ReplyTo{Topic: "replies.bank"}, Timeout: 10 * time.Millisecond})
	server := httptest.NewServer(bank.NewFace(client, http.NotFoundHandler()))
	defer server.Close()
	b := browser{t: t, http: server.Client(), base: server.URL}
	a := b.do("POST", "/accounts/ada/deposits", `{"amount":1}`)
	if a.status != 504 || a.CommandID == "" || a.CommandID != a.header.Get("Idempotency-Key") || a.header.Get("Retry-After") == "" ||
		a.header.Get("Location") != "/accounts/ada/commands/"+a.CommandID {
		t.Errorf("got %d %s with the header %v", a.status, a.text, a.header)
	}
	client.Close()
	if a := b.do("GET", "/accounts/ada", ""); a.status != 503 {
		t.Errorf("a face that ends: %d %s", a.status, a.text)
	}
}

func TestAnAddressInUseEndsWithCodeOne(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	var out, errs strings.Builder
	if code := bank.Main(t.Context(), []string{"-http", taken.Addr().String()}, strings.NewReader(""), &out, &errs); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	stagetest.InOrder(t, errs.String(), `^bank: -http: .*address already in use`)
}
