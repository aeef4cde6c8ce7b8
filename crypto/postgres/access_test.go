package postgres_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/crypto/postgres"
	"github.com/seed-3eec0498/muster/internal/pgtest"
)

// rolePool gives a pool of a role that has what is granted and no more.
func rolePool(t *testing.T, admin *pgxpool.Pool, role string, grants ...string) *pgxpool.Pool {
	t.Helper()
	for _, s := range append([]string{"create role " + role + " login", "grant usage on schema public to " + role}, grants...) {
		if _, err := admin.Exec(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, s := range []string{"drop owned by " + role, "drop role " + role} {
			if _, err := admin.Exec(bounded(t), s); err != nil {
				t.Error(err)
			}
		}
	})
	return keyPool(t, strings.Replace(admin.Config().ConnString(), "postgres@", role+"@", 1))
}

// Who has no right to the table is told so, by a class of its own: it is no outage that passes, and nothing was destroyed. Who may only read opens and
// does not seal for anybody new.
func TestNoRightToTheTable(t *testing.T) {
	admin := keyPool(t, pgtest.Database(t))
	store := openKeys(t, admin, postgres.Config{})
	kms, secret := crypto.NewMemoryKMS(), bytes.Repeat([]byte{7}, 32)
	codec := func(keys crypto.KeyStore) *crypto.Codec {
		t.Helper()
		c, err := crypto.Open(t.Context(), crypto.Config{Keys: keys, KMS: kms, SubjectKey: secret})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	type personal struct {
		Name string `json:"name" muster:"personal"`
	}
	place := muster.Place{Purpose: muster.PurposeEvent, Group: "people", Type: "SignedUp", AggregateID: "anna", Revision: 1, MessageID: "e-1"}
	data, _, err := codec(store).Encode(nil, place, personal{"Anna"})
	if err != nil {
		t.Fatal(err)
	}
	e := crypto.Entry{Subject: crypto.SubjectRef{3}, ID: crypto.KeyID{3}, Version: 1, State: crypto.EntryActive, Generation: 1, Wrapped: []byte("wrapped")}

	nobody := openKeys(t, rolePool(t, admin, "nobody_here"), postgres.Config{})
	_, active := nobody.Active(t.Context(), e.Subject)
	_, lookup := nobody.Lookup(t.Context(), e.Subject, e.ID)
	_, put := nobody.PutIfAbsent(t.Context(), e)
	_, destroy := nobody.Destroy(t.Context(), e.Subject, "erasure")
	_, _, destroyed := nobody.Destroyed(t.Context(), e.Subject)
	scan := nobody.Scan(t.Context(), func(crypto.Entry) error { return nil })
	for what, err := range map[string]error{
		"Active": active, "Lookup": lookup, "PutIfAbsent": put, "Replace": nobody.Replace(t.Context(), e), "Destroy": destroy, "Destroyed": destroyed, "Scan": scan,
	} {
		if !errors.Is(err, crypto.ErrNoAccess) || errors.Is(err, crypto.ErrKeyUnavailable) || errors.Is(err, crypto.ErrShredded) || !strings.Contains(err.Error(), "grant SELECT on muster_keys") {
			t.Errorf("%s without any right gives %v", what, err)
		}
	}
	blind := codec(nobody)
	var got personal
	if r, err := blind.Reveal(place, data, &got); err != nil || r.Access != muster.AccessDenied || got.Name != "" {
		t.Errorf("it reads %+v, %+v, %v", got, r, err)
	}
	if err := blind.CheckAccess(t.Context()); !errors.Is(err, crypto.ErrNoAccess) {
		t.Errorf("an owner would be told %v", err)
	}

	reader := openKeys(t, rolePool(t, admin, "reads_here", "grant select on muster_keys to reads_here"), postgres.Config{})
	sees := codec(reader)
	if err := sees.Decode(place, data, &got); err != nil || got.Name != "Anna" {
		t.Errorf("who may read gets %+v, %v", got, err)
	}
	place.AggregateID = "bert"
	if _, _, err := sees.Encode(nil, place, personal{"Bert"}); !errors.Is(err, crypto.ErrNoAccess) {
		t.Errorf("who may only read seals for somebody new: %v", err)
	}
}
