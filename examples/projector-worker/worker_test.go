package main_test

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bank"
	"github.com/seed-3eec0498/muster/examples/bank/bankpb"
	"github.com/seed-3eec0498/muster/examples/internal/stage"
	"github.com/seed-3eec0498/muster/examples/internal/stagetest"
	worker "github.com/seed-3eec0498/muster/examples/projector-worker"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStory(t *testing.T) {
	var out, errs strings.Builder
	if code := worker.Main(t.Context(), []string{"-demo"}, &out, &errs); code != 0 {
		t.Fatalf("exit code %d: %s\n%s", code, errs.String(), out.String())
	}
	stagetest.InOrder(t, out.String(),
		`read +totals of ada +100\.00  salary`,
		`wait +the deposit of ada was put aside +FAILED_PRECONDITION`,
		`read +totals of bob +50\.00  gift`,
		`bank\.Credited parked: no kind in "found in the street"`,
		`worker +second build, with the fix`,
		`order +retry all that is parked`,
		`read +totals of ada +157\.00  other, salary`,
		`6 shards are paused`,
		`wait +the deposit is not applied +UNAVAILABLE`,
		`read +totals of bob +55\.00  gift`,
		`status +totals@2, generation 0 +caught up, beside what serves`,
		`serve totals@2, while money comes in +the reader has it from totals@2`,
		`serve totals@1, while money comes in +the reader has it from totals@1`,
		`generation 1 has caught up`,
		`\d+ answers of totals@1, \d+ of totals@2, none wrong`,
		`All 38 checks held\.\n$`,
	)
	if errs.Len() > 0 {
		t.Errorf("it complained: %s", errs.String())
	}
}

// A worker beside an owner of another process answers over HTTP, and waits for what a call has written.
func TestWorkerAnswersUntilItIsInterrupted(t *testing.T) {
	address, prefix := kafkatest.Brokers(t), kafkatest.UniqueName(t, "worker")+"."
	owner, err := stage.Start(t.Context(), service.Config{Name: "bank", Brokers: address, Prefix: prefix, DataDir: t.TempDir()}, worker.NewOwner())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := owner.Stop(); err != nil {
			t.Error(err)
		}
	}()
	t.Setenv(kafkatest.BrokersVariable, strings.Join(address, ","))
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	printed, out := io.Pipe()
	ended := make(chan int)
	var errs strings.Builder
	go func() {
		code := worker.Main(ctx, []string{"-prefix", prefix, "-http", "127.0.0.1:0"}, out, &errs)
		out.Close()
		ended <- code
	}()
	said := ""
	for buffer := make([]byte, 1024); !strings.Contains(said, "status: "); {
		n, err := printed.Read(buffer)
		if said += string(buffer[:n]); err != nil {
			t.Fatalf("it ended with code %d before it was ready, said %q and complained: %s", <-ended, said, errs.String())
		}
	}
	rows := regexp.MustCompile(`http://\S+/rows`).FindString(said)
	var r muster.Receipt
	if _, err := bank.Deposit.Call(t.Context(), owner.Client(), "ada", &bankpb.DepositMoney{Amount: 7_00, Text: "gift: socks"}, muster.ReceiptTo(&r)); err != nil {
		t.Fatal(err)
	}
	token := r.Position.Token()
	if code, body := get(t, rows+"/ada?min-position="+token); code != http.StatusOK || !strings.Contains(body, `"In":700`) {
		t.Errorf("the row of ada: %d %s", code, body)
	}
	base := strings.TrimSuffix(rows, "/views/totals/rows")
	for _, path := range []string{"/livez", "/readyz", "/projections", "/metrics"} {
		if code, body := get(t, base+path); code != http.StatusOK {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	interrupt()
	last, err := io.ReadAll(printed)
	if err != nil {
		t.Error(err)
	}
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
	stagetest.InOrder(t, string(last), `drained, done\n$`)
}

func get(t *testing.T, url string) (code int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func TestWrongCommandLinesEndWithCodeTwo(t *testing.T) {
	t.Setenv(kafkatest.BrokersVariable, "")
	for line, want := range map[string]string{
		"":          `set MUSTER_BROKERS`,
		"-demo ada": `an argument too many`,
		"-log=x":    `invalid boolean value "x"`,
	} {
		var out, errs strings.Builder
		if code := worker.Main(t.Context(), strings.Fields(line), &out, &errs); code != 2 {
			t.Errorf("%q: exit code %d, want 2", line, code)
		}
		stagetest.InOrder(t, errs.String(), want)
	}
}
