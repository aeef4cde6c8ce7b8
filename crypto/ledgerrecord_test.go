package crypto_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/seed-3eec0498/muster/crypto"
)

// Whatever lies on the ledger's topic is a record, a break in the chain or a newer build's; what is read is written as it was read.
func FuzzLedgerRecord(f *testing.F) {
	for _, text := range []string{
		"", "null", "{}", "[]", `{"format":1}`, `{"format":1,"kind":"requested","subject":"00","owed":[{}]}`, `{"format":2,"kind":"purged"}`, `{"format":1,"kind":"joined","shares":[{"kind":"group","name":"a","partitions":-1}]}`,
		`{"format":1,"kind":"rotation","stage":"begun","generation":4294967295}`, `{"format":1,"kind":"acknowledged","time":"9999-12-31T23:59:59Z","keys":["",null]}`, `{"format":1,"kind":"nothing"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		once, err := crypto.RewriteLedgerRecord(value)
		if err != nil {
			if !errors.Is(err, crypto.ErrLedgerBroken) && !errors.Is(err, crypto.ErrLedgerNewer) {
				t.Fatalf("%v is neither broken nor newer", err)
			}
			return
		}
		twice, err := crypto.RewriteLedgerRecord(once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%s is read as %s, %v", once, twice, err)
		}
	})
}
