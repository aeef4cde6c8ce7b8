package main_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
)

// watch listens to the list of balances; until waits for the next change with a text.
func (b browser) watch(t *testing.T) (until func(want string)) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.base+"/views/balances/watch", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := b.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stream.Body.Close() })
	lines := bufio.NewScanner(stream.Body)
	return func(want string) {
		t.Helper()
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "data: ") && strings.Contains(lines.Text(), want) {
				return
			}
		}
		t.Fatalf("the stream ended (%v) before it showed %s", lines.Err(), want)
	}
}

// The page listens to a stream that shows what changes, and the program ends while somebody looks at it.
func TestLivePage(t *testing.T) {
	b, end := owner(t)
	if a := b.do("GET", "/", ""); a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.Contains(a.text, `EventSource("/views/balances/watch")`) {
		t.Errorf("the page: %d %s", a.status, a.text)
	}
	if a := b.do("POST", "/accounts/ada", `{"holder":"Ada"}`); a.status != 201 {
		t.Fatalf("open: %d %s", a.status, a.text)
	}
	until := b.watch(t)
	until(`"key":"ada"`)
	if a := b.do("POST", "/accounts/ada/deposits", `{"amount":25000}`); a.status != 200 {
		t.Fatalf("deposit: %d %s", a.status, a.text)
	}
	until(`"25000"`)
	if a := b.do("GET", "/views/balances/rows?index=holder&index_key=Ada", ""); a.status != 200 || !strings.Contains(a.text, `"key":"ada"`) {
		t.Errorf("the list: %d %s", a.status, a.text)
	}
	if code := end(); code != 0 {
		t.Errorf("exit code %d after an interrupt", code)
	}
}
