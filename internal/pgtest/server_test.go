package pgtest_test

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/seed-3eec0498/muster/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// Each test has a database of its own on the one server.
func TestDatabasesAreApart(t *testing.T) {
	one, two := pgtest.Database(t), pgtest.Database(t)
	exec(t, one, "create table mine (n int)")
	exec(t, two, "create table mine (n int)")
	if one == two {
		t.Fatalf("both are %s", one)
	}
}

// A server comes back on its port with what was committed before it was killed.
func TestKilledServerComesBack(t *testing.T) {
	server := pgtest.Own(t)
	exec(t, server.URL("postgres"), "create table kept (n int); insert into kept values (7)")
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if conn, err := pgx.Connect(t.Context(), server.URL("postgres")); err == nil {
		_ = conn.Close(t.Context())
		t.Fatal("a killed server answers")
	}
	if err := server.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var n int
	if err := conn.QueryRow(t.Context(), "select n from kept").Scan(&n); err != nil || n != 7 {
		t.Fatalf("read %d, %v", n, err)
	}
}

func exec(t *testing.T, url, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
