package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/seed-3eec0498/muster/internal/pgtest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/postgres"
)

// A rebuild begins with a claim of the next generation: rows and checkpoints of the one before go in one transaction, and who holds it is fenced,
// also with a batch open that has locked the rows.
func TestRebuildInPlace(t *testing.T) {
	pool := open(t, pgtest.Database(t))
	run(t, pool, "create table rows (n int)")
	p := postgres.New("model", pool)
	first, second := shard("model"), shard("model")
	second.Generation = 1
	write := func(h projector.Holding) projector.Batch {
		b := begin(t, h)
		b.Before(&projector.Running{ID: "e"})
		if _, err := b.Tx().(pgx.Tx).Exec(t.Context(), "insert into rows values (1)"); err != nil {
			t.Fatal(err)
		}
		return b
	}
	h := claim(t, target(t, p), first)
	if err := write(h).Commit(t.Context(), change(3)); err != nil {
		t.Fatal(err)
	}
	if _, err := target(t, p).Claim(t.Context(), second); err == nil || !strings.Contains(err.Error(), "OnReset") {
		t.Errorf("a rebuild without OnReset: %v", err)
	}
	var shards []int32
	p.OnReset(func(ctx context.Context, tx pgx.Tx, s projector.Shard) error {
		shards = append(shards, s.Number)
		_, err := tx.Exec(ctx, "truncate rows")
		return err
	})
	late := write(h)
	next := claim(t, target(t, p), second)
	if err := late.Commit(t.Context(), change(4)); err == nil {
		t.Error("the generation before has committed")
	}
	if n := count(t, pool, "select count(*) from rows"); n != 0 {
		t.Errorf("%d rows after the reset", n)
	}
	if stored, err := next.Stored(t.Context()); err != nil || len(stored.Checkpoints) != 0 {
		t.Errorf("stored: %+v, %v", stored, err)
	}
	if err := write(next).Commit(t.Context(), change(1)); err != nil {
		t.Error(err)
	}
	if _, err := h.Stored(t.Context()); !errors.Is(err, projector.ErrFenced) {
		t.Errorf("the generation before reads %v", err)
	}
	if err := target(t, p).Drop(t.Context(), first); err != nil || len(shards) != 1 || shards[0] != projector.Whole {
		t.Errorf("dropping what was replaced gives %v, resets of %v", err, shards)
	}
	if err := target(t, p).Drop(t.Context(), second); err != nil || len(shards) != 2 || shards[1] != 0 {
		t.Errorf("dropping the last one gives %v, resets of %v", err, shards)
	}
}
