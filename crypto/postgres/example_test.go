package postgres_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/crypto/postgres"
)

// A service keeps its data keys in a schema of their own. What it gives to crypto.Open goes into service.Config.Privacy.Keys just as well.
func ExampleOpen() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, "postgres://shop@localhost/shop?pool_max_conns=8")
	if err != nil {
		return
	}
	defer pool.Close()
	keys, err := postgres.Open(ctx, pool, postgres.Config{Schema: "keys"})
	if err != nil {
		return
	}
	codec, err := crypto.Open(ctx, crypto.Config{Keys: keys, KMS: crypto.NewMemoryKMS(), SubjectKey: make([]byte, 32), Tenant: "shop"})
	if err != nil {
		return
	}
	defer codec.Close()
}

// Where services may not make tables, whoever may runs these, and grants SELECT, INSERT and UPDATE on the table.
func ExampleStatements() {
	for _, statement := range postgres.Statements(postgres.Config{Schema: "keys", Prefix: "shop"}) {
		fmt.Println(statement)
	}
	// Output:
	// create table if not exists keys.shop_keys (subject bytea primary key, place bigint not null, held bytea not null)
	// comment on table keys.shop_keys is 'muster keys 1'
}
