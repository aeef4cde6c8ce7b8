package producer_test

import (
	"testing"

	"github.com/seed-3eec0498/muster/producer"
)

func TestTransactionalIDs(t *testing.T) {
	_, instance, lane, slot, ok := producer.ParseIdentity("eu.accounts/host-1.two/3/12", "eu.accounts")
	if !ok || instance != "host-1.two" || lane != 3 || slot != 12 {
		t.Errorf("%q %d %d %v", instance, lane, slot, ok)
	}
	for _, foreign := range []string{
		"", "accounts/one/0/0", "eu.accounts", "eu.accounts/", "eu.accounts//0/0", "eu.accounts/one/0", "eu.accounts/one/0/0/0",
		"eu.accounts/one/-1/0", "eu.accounts/one/0/x", "eu.accounts/one/00/0", "eu.accounts/one/0/+1", "eu.accounts.x/one/0/0",
		"eu.accounts/one/0/99999999999999999999",
	} {
		if _, _, _, _, ok := producer.ParseIdentity(foreign, "eu.accounts"); ok {
			t.Errorf("%q was taken for one of ours", foreign)
		}
	}
}

// What is taken for one of the group's ids is exactly what the group's lanes would write.
func FuzzTransactionalID(f *testing.F) {
	f.Add("accounts/one/0/0", "accounts")
	f.Add("accounts/one/00/1", "accounts")
	f.Add("a//1/2", "a")
	f.Fuzz(func(t *testing.T, text, group string) {
		again, instance, lane, slot, ok := producer.ParseIdentity(text, group)
		if ok && (again != text || instance == "" || lane < 0 || slot < 0) {
			t.Errorf("%q of %q: %q, %q %d %d", text, group, again, instance, lane, slot)
		}
	})
}
