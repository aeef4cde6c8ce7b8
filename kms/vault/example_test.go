package vault_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/seed-3eec0498/muster/kms/vault"
)

func ExampleOpen() {
	server := httptest.NewServer(&transit{keys: map[string]*transitKey{}, token: "s.token"}) // stands for Vault
	defer server.Close()
	kms, err := vault.Open(vault.Config{Address: server.URL, Token: func(context.Context) (string, error) { return "s.token", nil }})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	wrapped, err := kms.Wrap(ctx, 1, []byte("a key"), []byte("where it belongs"))
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := kms.Unwrap(ctx, 1, wrapped, []byte("where it belongs"))
	fmt.Println(string(key), err)
	_, err = kms.Unwrap(ctx, 1, wrapped, []byte("elsewhere"))
	fmt.Println(err)
	// Output:
	// a key <nil>
	// sealed data does not belong here or was changed
}
