package main_test

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	commander "github.com/seed-3eec0498/muster/examples/commander"
	"github.com/seed-3eec0498/muster/examples/internal/stagetest"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStory(t *testing.T) {
	var out, errs strings.Builder
	if code := commander.Main(t.Context(), nil, &out, &errs); code != 0 {
		t.Fatalf("exit code %d: %s\n%s", code, errs.String(), out.String())
	}
	stagetest.InOrder(t, out.String(),
		`registration +owns groups users and mails`,
		`NewUser ada, ada@mail\.example +created`,
		`on the way: validate, create, notify`,
		`the same with the same id +the first answer repeated`,
		`NewUser eve, ada@mail\.example +refused: ALREADY_EXISTS, the address is taken`,
		`in the journal: UserRejected`,
		`refused: INVALID_ARGUMENT, a user needs a name`,
		`refused: PERMISSION_DENIED, mails to spam\.example are not sent`,
		`NewUser cem, cem@slow\.example +created`,
		`DeleteUser ada +refused: UNIMPLEMENTED, users cannot do DeleteUser`,
		`in the journal: UserCreated, CommandUnknown`,
		`NewUser bob, \S+ +durable at \S+\.users\.commands\[\d\]@\d+`,
		`await .* event row-1/0 of actor website at \S+\.users\.events\[\d\]@\d+`,
		`welcomed: ada, bob, cem\n`,
		`website +drained and gone`,
		`welcomed: dan\n`,
		`counts .* CheckAddress 6, NewUser 7, SendMail 4, other 1\n`,
		`All 18 checks held\.\n$`,
	)
	if errs.Len() > 0 {
		t.Errorf("it complained: %s", errs.String())
	}
}

// Under a prefix that was used before, the users are there already, which is not what the story says.
func TestAnUnexpectedOutcomeEndsWithCodeOneAndSaysWhich(t *testing.T) {
	t.Setenv(kafkatest.BrokersVariable, strings.Join(kafkatest.Brokers(t), ","))
	prefix := kafkatest.UniqueName(t, "commander-twice") + "."
	var out, errs strings.Builder
	if code := commander.Main(t.Context(), []string{"-prefix", prefix}, &out, &errs); code != 0 {
		t.Fatalf("exit code %d: %s\n%s", code, errs.String(), out.String())
	}
	out.Reset()
	if code := commander.Main(t.Context(), []string{"-prefix", prefix}, &out, &errs); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	stagetest.InOrder(t, errs.String(), `^commander: step 3 \(call, NewUser ada, ada@mail\.example\): `)
	if strings.Contains(out.String(), "checks held") {
		t.Errorf("it claims that all is well:\n%s", out.String())
	}
}

func TestWrongCommandLinesEndWithCodeTwo(t *testing.T) {
	for line, want := range map[string]string{
		"ada":         `an argument too many`,
		"-log=maybe":  `invalid boolean value "maybe"`,
		"-role thief": `not defined: -role`,
	} {
		var out, errs strings.Builder
		if code := commander.Main(t.Context(), strings.Fields(line), &out, &errs); code != 2 {
			t.Errorf("%s: exit code %d, want 2", line, code)
		}
		stagetest.InOrder(t, errs.String(), want)
	}
}
