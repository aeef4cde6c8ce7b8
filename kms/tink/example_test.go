package tink_test

import (
	"context"
	"fmt"

	tinkapi "github.com/tink-crypto/tink-go/v2/tink"

	"github.com/seed-3eec0498/muster/kms/tink"
)

// A KMS whose keys are keysets of Tink in this process; those of a cloud KMS are had by its URI instead, and local is false.
func ExampleKMS() {
	ctx, kms := context.Background(), tink.KMS(&keysets{keys: map[uint32]tinkapi.AEADWithContext{}}, true)
	wrapped, err := kms.Wrap(ctx, 1, []byte("a key-encryption key"), []byte("where it belongs"))
	if err != nil {
		panic(err)
	}
	key, err := kms.Unwrap(ctx, 1, wrapped, []byte("where it belongs"))
	fmt.Println(string(key), err)
	if err := kms.DestroyGeneration(ctx, 1); err != nil {
		panic(err)
	}
	_, err = kms.Unwrap(ctx, 1, wrapped, []byte("where it belongs"))
	fmt.Println(err)
	// Output:
	// a key-encryption key <nil>
	// the subject's keys are destroyed
}
