package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/internal/ledger"
)

// target keeps one projection in a database.
type target struct {
	projection *Projection
	engine     *Engine
	prefix     string // of the topics: stages that share a database are apart
	tables     ledger.Tables

	mu       sync.Mutex // guards prepared; held while the tables are made
	prepared bool
}

// prepare creates or migrates the toolkit's tables, under a lock, unless they are as this build needs them.
func (t *target) prepare(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.prepared {
		return nil
	}
	format := 0
	look := "select coalesce(max(format), 0) from " + t.tables.Schema
	if err := t.projection.db.QueryRowContext(ctx, look).Scan(&format); err != nil || format < ledger.Format {
		err = t.within(ctx, func(tx *sql.Tx) error { // where the look failed for another reason than that there is no table, this fails, too
			if t.engine.Lock != "" {
				if _, err := tx.ExecContext(ctx, t.engine.Lock); err != nil {
					return err
				}
			}
			if _, err := tx.ExecContext(ctx, "create table if not exists "+t.tables.Schema+" (format integer not null primary key)"); err != nil {
				return err
			}
			if err := tx.QueryRowContext(ctx, look).Scan(&format); err != nil {
				return err
			}
			for i, statement := range t.tables.Statements(format, t.engine.columns()) {
				if i == 0 && format == 0 {
					continue // the table of formats is there
				}
				if _, err := tx.ExecContext(ctx, statement); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return t.fault("prepare its tables", err)
		}
	}
	if format > ledger.Format {
		return t.fault("use its tables", fmt.Errorf("table %s says format %d, and this build knows up to %d; run the newer build again: %w", t.tables.Schema, format, ledger.Format, projector.ErrUnfit))
	}
	t.prepared = true
	return nil
}

// Claim implements [projector.Target]. The epoch is a moment in microseconds, or one more than the last: it grows also where the row was dropped in
// between, so that nobody's old epoch ever fits again.
func (t *target) Claim(ctx context.Context, shard projector.Shard) (projector.Holding, error) {
	if err := t.prepare(ctx); err != nil {
		return nil, err
	}
	h := &holding{target: t, shard: shard}
	err := t.within(ctx, func(tx *sql.Tx) error {
		if err := t.generation(ctx, tx, shard); err != nil {
			return err
		}
		where := " where projection = ? and generation = ? and shard = ?"
		now := time.Now().UTC()
		// The update locks the row, also where the value does not change, so that what is read behind it stays.
		n, err := t.exec(ctx, tx, "update "+t.tables.Shards+" set claimed = ?"+where, h.with([]any{t.time(now)})...)
		if err != nil {
			return err
		}
		h.epoch = now.UnixMicro()
		if n == 0 {
			_, err := t.exec(ctx, tx, "insert into "+t.tables.Shards+" (projection, generation, shard, epoch, acts, claimed) values (?, ?, ?, ?, 0, ?)", h.place(h.epoch, t.time(now))...)
			return err
		}
		var last int64
		if err := tx.QueryRowContext(ctx, t.engine.statement("select epoch from "+t.tables.Shards+where), h.place()...).Scan(&last); err != nil {
			return err
		}
		h.epoch = max(h.epoch, last+1)
		_, err = t.exec(ctx, tx, "update "+t.tables.Shards+" set epoch = ?"+where, h.with([]any{h.epoch})...)
		return err
	})
	if err != nil {
		return nil, t.fault(fmt.Sprintf("claim shard %d", shard.Number), err)
	}
	return h, nil
}

// generation takes the row of the projection, so that claims and drops of its shards come one after another, and begins a newer generation: what
// was before it is fenced and removed.
func (t *target) generation(ctx context.Context, tx *sql.Tx, shard projector.Shard) error {
	if t.projection.beside {
		return nil
	}
	n, err := t.exec(ctx, tx, "update "+t.tables.Projections+" set generation = generation where projection = ?", t.name(shard))
	if err == nil && n == 0 {
		_, err = t.exec(ctx, tx, "insert into "+t.tables.Projections+" (projection, generation) values (?, ?)", t.name(shard), shard.Generation)
	}
	if err != nil {
		return err
	}
	last, err := t.last(ctx, tx, shard)
	switch {
	case err != nil || last == shard.Generation:
		return err
	case last > shard.Generation:
		return fmt.Errorf("generation %d is not the last one, which is %d: the projection was rebuilt meanwhile", shard.Generation, last)
	case t.projection.reset == nil:
		return errors.New("it has no function to remove its rows, so it cannot be rebuilt in place; add OnReset, or build a new version with tables of its own")
	}
	for _, table := range []string{t.tables.Shards, t.tables.Checkpoints, t.tables.Letters} {
		if _, err := t.exec(ctx, tx, "delete from "+table+" where projection = ?", t.name(shard)); err != nil {
			return err
		}
	}
	old := shard
	old.Generation, old.Number = last, projector.Whole
	if err := t.projection.reset(ctx, &Tx{tx: tx}, old); err != nil {
		return fmt.Errorf("OnReset: %w", err)
	}
	_, err = t.exec(ctx, tx, "update "+t.tables.Projections+" set generation = ? where projection = ?", shard.Generation, t.name(shard))
	return err
}

func (t *target) last(ctx context.Context, tx *sql.Tx, shard projector.Shard) (generation int, err error) {
	err = tx.QueryRowContext(ctx, t.engine.statement("select generation from "+t.tables.Projections+" where projection = ?"), t.name(shard)).Scan(&generation)
	return generation, err
}

// Drop implements [projector.Target].
func (t *target) Drop(ctx context.Context, shard projector.Shard) error {
	if err := t.prepare(ctx); err != nil {
		return err
	}
	err := t.within(ctx, func(tx *sql.Tx) error {
		if !t.projection.beside {
			if _, err := t.exec(ctx, tx, "update "+t.tables.Projections+" set generation = generation where projection = ?", t.name(shard)); err != nil {
				return err
			}
			last, err := t.last(ctx, tx, shard)
			if errors.Is(err, sql.ErrNoRows) || err == nil && last != shard.Generation {
				return nil // it went with its generation, and the rows are those of the next one
			}
			if err != nil {
				return err
			}
		}
		for _, table := range []string{t.tables.Shards, t.tables.Checkpoints, t.tables.Letters} {
			if _, err := t.exec(ctx, tx, "delete from "+table+" where projection = ? and generation = ? and shard = ?", t.name(shard), shard.Generation, shard.Number); err != nil {
				return err
			}
		}
		if t.projection.reset == nil {
			return nil
		}
		if err := t.projection.reset(ctx, &Tx{tx: tx}, shard); err != nil {
			return fmt.Errorf("OnReset: %w", err)
		}
		return nil
	})
	if err != nil {
		return t.fault(fmt.Sprintf("drop shard %d", shard.Number), err)
	}
	return nil
}

// name is what a projection is called in the tables.
func (t *target) name(shard projector.Shard) string { return t.prefix + shard.Projection }

// within runs fn in a transaction of the toolkit's own.
func (t *target) within(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := t.projection.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// exec runs a statement written with question marks, and gives how many rows it touched.
func (t *target) exec(ctx context.Context, tx *sql.Tx, statement string, args ...any) (int64, error) {
	result, err := tx.ExecContext(ctx, t.engine.statement(statement), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// time gives a moment as a column takes it: null for none.
func (t *target) time(at time.Time) any {
	switch {
	case at.IsZero():
		return nil
	case t.engine.Time == "text":
		return at.UTC().Format(time.RFC3339Nano)
	}
	return at
}

// fault says what the toolkit was about when its own statement failed. It is always one of the store.
func (t *target) fault(about string, err error) error {
	return projector.AsStore(fmt.Errorf("projection %s: cannot %s: %w", t.projection, about, err))
}
