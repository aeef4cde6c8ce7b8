package main_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bank "github.com/seed-3eec0498/muster/examples/bank"
)

// TestPrivacy has an owner seal holders and texts: callers see them, the files of its directory do not have them, and the keys open them again after a
// restart with other local state.
func TestPrivacy(t *testing.T) {
	dir := t.TempDir()
	b, end := owner(t, "-privacy", "-data", dir)
	if a := b.do("POST", "/accounts/ada", `{"holder":"Ada Canary-Qz7"}`); a.status != 201 {
		t.Errorf("open: %d %s", a.status, a.text)
	}
	for _, repeated := range []bool{false, true} {
		if a := b.do("POST", "/accounts/ada/deposits", `{"amount":25000,"text":"Canary-Qz7 pays"}`, "Idempotency-Key", "d-1"); a.status != 200 || a.Holder != "Ada Canary-Qz7" || a.Repeated != repeated {
			t.Errorf("deposit: %d %s", a.status, a.text)
		}
	}
	if a := b.do("GET", "/accounts/ada", ""); a.Holder != "Ada Canary-Qz7" || a.Balance != 25000 {
		t.Errorf("the account: %d %s", a.status, a.text)
	}
	b.watch(t)(`"25000"`) // the row, and its entry in the index, are in the store
	if code := end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte("Canary-Qz7")) {
			t.Errorf("%s holds personal data in clear", path)
		}
		return err
	})
	if err != nil || files < 5 {
		t.Errorf("%d files, %v", files, err)
	}
}

func TestPrivacyNeedsOneProcessWithKeys(t *testing.T) {
	var out, errs strings.Builder
	if code := bank.Main(t.Context(), []string{"-privacy"}, strings.NewReader(""), &out, &errs); code != 2 || !strings.Contains(errs.String(), "-privacy goes with -http") {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
}
