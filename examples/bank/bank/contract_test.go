package bank_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bank"
)

func TestContractIsSound(t *testing.T) {
	for _, group := range []*muster.Group{bank.Accounts, bank.Transfers} {
		if err := group.Validate(); err != nil {
			t.Error(err)
		}
		if got := group.Partitions(); got != 6 {
			t.Errorf("%s has %d partitions, want 6: it is fixed for life", group.Name(), got)
		}
	}
}

// What the names are on the wire is for ever: records of earlier versions carry them.
func TestWireNamesStay(t *testing.T) {
	for got, want := range map[string]string{
		bank.Accounts.Name():    "accounts",
		bank.Open.Name():        "bank.Open",
		bank.Deposit.Name():     "bank.Deposit",
		bank.Withdraw.Name():    "bank.Withdraw",
		bank.Balance.Name():     "bank.Balance",
		bank.Opened.Name():      "bank.Opened",
		bank.Credited.Name():    "bank.Credited",
		bank.Debited.Name():     "bank.Debited",
		bank.Transfers.Name():   "transfers",
		bank.Transfer.Name():    "bank.Transfer",
		bank.Transferred.Name(): "bank.Transferred",
		bank.GivenBack.Name():   "bank.GivenBack",
	} {
		if got != want {
			t.Errorf("name %q, want %q", got, want)
		}
	}
}

// A caller's program gets protobuf and uuid with a contract, and nothing else from outside.
func TestContractPullsInProtobufAndUUIDAlone(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}} {{with .Module}}{{.Path}}{{end}}{{end}}", ".")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	const own = "github.com/seed-3eec0498/muster"
	modules, packages := []string{}, []string{}
	for line := range strings.Lines(string(out)) {
		path, module, _ := strings.Cut(strings.TrimSpace(line), " ")
		if module == own {
			packages = append(packages, path)
		} else if !slices.Contains(modules, module) {
			modules = append(modules, module)
		}
	}
	slices.Sort(modules)
	slices.Sort(packages)
	if want := []string{"github.com/google/uuid", "google.golang.org/protobuf"}; !slices.Equal(modules, want) {
		t.Errorf("modules from outside: %q, want %q", modules, want)
	}
	// the last one has the options that say which fields are personal, and nothing else
	if want := []string{own, own + "/examples/bank/bank", own + "/examples/bank/bankpb", own + "/proto/muster/privacy"}; !slices.Equal(packages, want) {
		t.Errorf("packages of the toolkit: %q, want %q", packages, want)
	}
}
