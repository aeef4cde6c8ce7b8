package service_test

import (
	"context"
	"fmt"
	"os"

	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/service"
)

// Keys in a topic, and a service that seals with them and takes part in erasures.
func ExampleOpenKeys() {
	ctx := context.Background()
	broker, err := embedded.Start(ctx, embedded.Config{})
	if err != nil {
		panic(err)
	}
	defer broker.Close()
	dir, err := os.MkdirTemp("", "muster-example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	cfg := service.Config{Name: "people", Brokers: broker.Brokers(), DataDir: dir}
	keys, err := service.OpenKeys(ctx, cfg, "people")
	if err != nil {
		panic(err)
	}
	defer keys.Close()
	cfg.Privacy = &crypto.Config{Keys: keys, KMS: crypto.NewMemoryKMS(), SubjectKey: make([]byte, 32)} // a KMS and a secret that last, in production
	cfg.Erasure = &service.ErasureConfig{KeySpace: "people"}
	svc, err := service.Open(ctx, cfg)
	if err != nil {
		panic(err)
	}
	_, err = svc.Privacy().Status(ctx, "ada")
	fmt.Println(err)
	if err := svc.Close(); err != nil {
		panic(err)
	}
	// Output:
	// NOT_FOUND: no erasure of this subject is on the ledger of key space people
}
