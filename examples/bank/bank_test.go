package main_test

import (
	"context"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	bank "github.com/seed-3eec0498/muster/examples/bank"
	"github.com/seed-3eec0498/muster/examples/internal/stagetest"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

// The story starts its own program again as the first owner. In a test that is the test's program, which has to be the bank then.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-role" {
		os.Exit(bank.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

func TestStory(t *testing.T) {
	var out, errs strings.Builder
	if code := bank.Main(t.Context(), nil, strings.NewReader(""), &out, &errs); code != 0 {
		t.Fatalf("exit code %d: %s\n%s", code, errs.String(), out.String())
	}
	stagetest.InOrder(t, out.String(),
		`owner +a process of its own +process \d+ owns groups accounts and transfers`,
		`open +ada +0\.00  revision 1`,
		`deposit +ada, 250\.00, salary +250\.00  revision 2`,
		`withdraw +ada, 100\.00, rent +150\.00  revision 3`,
		`refused: ALREADY_EXISTS`,
		`refused: FAILED_PRECONDITION, account ada is short of 350\.00`,
		`details: balance 150\.00, missing 350\.00`,
		`conflict: it is at revision 3`,
		`retry .* 175\.00  revision 4, the first answer repeated`,
		`refused: INVALID_ARGUMENT, the id was used for other content`,
		`query +balance of ada +175\.00  revision 4`,
		`transfer +eve to fay, 50\.00, flowers +250\.00  left`,
		`retry +the same transfer .* the first answer repeated`,
		`transfer .* refused: FAILED_PRECONDITION, account eve is short of 749\.00`,
		`transfer +eve to nobody, .* refused: NOT_FOUND, account nobody does not exist`,
		`the money is given back`,
		`query +balance of eve +250\.00  revision 5`,
		`sum +eve and fay +300\.00`,
		`send +eve to fay, 10\.00, a share +it is between withdrawal and deposit`,
		`sum +eve and fay +290\.00`,
		`crash +process \d+ is killed`,
		`takeover .* state read from the journal`,
		`peek .* 175\.00  revision 4, \d+\.\d{3} s old, read up to \S+accounts\.events\[\d\]@\d+`,
		`query +balance of bob +60\.00  revision 22`,
		`query +balance of ada +175\.00  revision 4`,
		`retry .* 175\.00  revision 4, the first answer repeated`,
		`statement +ada, from the journal +100\.00  in 5 events`,
		`5  \S+  bank\.Debited +shoes +-75\.00 +100\.00`,
		`retry +the 5 transfers with the same ids +done, all of them`,
		`query +balance of eve +200\.00  revision 10`,
		`query +balance of fay +100\.00  revision 7`,
		`sum +eve and fay +300\.00`,
		`books +balances in a view, statements in SQLite`,
		`deposit +ada, 5\.00, wait for the books +105\.00  in the list at once`,
		`list +all balances, and their total +465\.00  together, as the total says`,
		`statement +ada, from SQL +105\.00  in 6 lines, as in the journal`,
		`All 44 checks held\.\n$`,
	)
	if errs.Len() > 0 {
		t.Errorf("it complained: %s", errs.String())
	}
}

func TestOwnerAndCallerInTwoProcesses(t *testing.T) {
	// A prefix of this run's own: the broker may be shared.
	address, prefix := strings.Join(kafkatest.Brokers(t), ","), kafkatest.UniqueName(t, "bank-test")+"."
	t.Setenv(kafkatest.BrokersVariable, address)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	printed, out := io.Pipe()
	ended := make(chan int)
	var errs strings.Builder
	go func() {
		code := bank.Main(ctx, []string{"-role", "owner", "-prefix", prefix}, strings.NewReader(""), out, &errs)
		out.Close()
		ended <- code
	}()
	said := ""
	for buffer := make([]byte, 1024); !strings.Contains(said, "-prefix "+prefix); {
		n, err := printed.Read(buffer)
		if said += string(buffer[:n]); err != nil {
			t.Fatalf("the owner ended with code %d before it was ready, said %q and complained: %s", <-ended, said, errs.String())
		}
	}
	stagetest.InOrder(t, said, `ready: bank-\S+ owns groups accounts and transfers`, `MUSTER_BROKERS=`+regexp.QuoteMeta(address)+` go run ./examples/bank -role caller`)

	for range 2 { // a second customer finds the accounts of the first
		var told, complained strings.Builder
		if code := bank.Main(t.Context(), []string{"-role", "caller", "-prefix", prefix}, strings.NewReader(""), &told, &complained); code != 0 {
			t.Errorf("the caller's exit code is %d: %s\n%s", code, complained.String(), told.String())
		}
		stagetest.InOrder(t, told.String(), `details: balance 150\.00, missing 350\.00`, `statement +ada-\S+, from the journal +175\.00  in 4 events`, `All 23 checks held\.\n$`)
	}

	interrupt()
	last, err := io.ReadAll(printed)
	if err != nil {
		t.Error(err)
	}
	if code := <-ended; code != 0 {
		t.Errorf("the owner's exit code is %d: %s", code, errs.String())
	}
	stagetest.InOrder(t, string(last), `drained, done\n$`)
}

func TestAnUnexpectedOutcomeEndsWithCodeOneAndSaysWhich(t *testing.T) {
	t.Setenv(kafkatest.BrokersVariable, strings.Join(kafkatest.Brokers(t), ","))
	var out, errs strings.Builder
	prefix := kafkatest.UniqueName(t, "nobody") + "." // no owner has made topics there
	code := bank.Main(t.Context(), []string{"-role", "caller", "-prefix", prefix}, strings.NewReader(""), &out, &errs)
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	stagetest.InOrder(t, errs.String(), `^bank: step 1 \(open, ada-\S+\): want balance 0\.00, got the error .*accounts\.commands`)
	if strings.Contains(out.String(), "checks held") {
		t.Errorf("it claims that all is well:\n%s", out.String())
	}
}

func TestWrongCommandLinesEndWithCodeTwo(t *testing.T) {
	t.Setenv(kafkatest.BrokersVariable, "")
	for line, want := range map[string]string{
		"-role thief":           `-role "thief": choose story, owner or caller`,
		"-role caller":          `set MUSTER_BROKERS`,
		"-http :0 -role caller": `set MUSTER_BROKERS`,
		"ada":                   `an argument too many`,
		"-session never":        `invalid value "never"`,
	} {
		var out, errs strings.Builder
		if code := bank.Main(t.Context(), strings.Fields(line), strings.NewReader(""), &out, &errs); code != 2 {
			t.Errorf("%s: exit code %d, want 2", line, code)
		}
		stagetest.InOrder(t, errs.String(), want)
	}
}
