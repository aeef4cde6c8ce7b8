package crypto_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/seed-3eec0498/muster/crypto"
)

// Everything that goes in makes a difference, and nothing slides from one part into another.
func TestBlindIndex(t *testing.T) {
	key := crypto.Secret(bytes.Repeat([]byte{1}, 32))
	seen := map[string]string{}
	for _, c := range []struct {
		key                  crypto.Secret
		tenant, field, value string
	}{
		{key, "acme", "email", "ada@example.org"},
		{crypto.Secret(bytes.Repeat([]byte{2}, 32)), "acme", "email", "ada@example.org"},
		{key, "acm", "eemail", "ada@example.org"},
		{key, "acme", "emaila", "da@example.org"},
		{key, "acme", "phone", "ada@example.org"},
		{key, "acme", "email", "Ada@example.org"},
		{key, "", "", ""},
	} {
		got := crypto.BlindIndex(c.key, c.tenant, c.field, c.value)
		if other, there := seen[got]; there || len(got) != 22 || got != crypto.BlindIndex(c.key, c.tenant, c.field, c.value) {
			t.Errorf("%s/%s/%s gives %q, as does %s", c.tenant, c.field, c.value, got, other)
		}
		seen[got] = c.tenant + "/" + c.field + "/" + c.value
	}
}

// A view of people by address holds no address.
func ExampleBlindIndex() {
	key := crypto.Secret("a secret of this purpose, 32 bytes") // from a secret store
	fmt.Println(crypto.BlindIndex(key, "acme", "email", "ada@example.org"))
	// Output:
	// 3F6FqBE_yzkCL_P-W_5Eaw
}
