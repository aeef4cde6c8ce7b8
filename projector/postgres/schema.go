package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/internal/ledger"
)

// prepare creates or migrates the toolkit's tables unless they are as this build needs them. Instances that start at the same time
// do it one after another, under a lock of the database that ends with the transaction.
func (t *target) prepare(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.prepared {
		return nil
	}
	format, err := t.format(ctx, t.projection.pool)
	if err == nil && format < ledger.Format {
		err = t.migrate(ctx)
	}
	if err != nil {
		return t.fault(ctx, "prepare its tables", err)
	}
	t.prepared = true
	return nil
}

// querier is a pool or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// format gives the format of the tables there are, 0 for none.
func (t *target) format(ctx context.Context, db querier) (int, error) {
	var there bool
	// Naming a table has the session take notice of what others have made since; a function alone answers from its cache.
	if err := db.QueryRow(ctx, "select to_regclass($1) is not null from pg_database where datname = current_database()", t.tables.Schema).Scan(&there); err != nil || !there {
		return 0, err
	}
	var format int
	if err := db.QueryRow(ctx, "select coalesce(max(format), 0) from "+t.tables.Schema).Scan(&format); err != nil {
		return 0, err
	}
	if format > ledger.Format {
		return 0, fmt.Errorf("table %s says format %d, and this build knows up to %d; run the newer build again: %w", t.tables.Schema, format, ledger.Format, projector.ErrUnfit)
	}
	return format, nil
}

func (t *target) migrate(ctx context.Context) error {
	return pgx.BeginFunc(ctx, t.projection.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock(hashtext($1))", "muster "+t.tables.Schema); err != nil {
			return err
		}
		if schema := t.projection.schema; schema != "" {
			var there bool // asked first: "if not exists" wants the right to create even where it is
			if err := tx.QueryRow(ctx, "select to_regnamespace($1) is not null", schema).Scan(&there); err != nil {
				return err
			}
			if !there {
				if _, err := tx.Exec(ctx, "create schema "+schema); err != nil {
					return err
				}
			}
		}
		format, err := t.format(ctx, tx)
		if err != nil {
			return err
		}
		for _, statement := range t.tables.Statements(format, columns) {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}

// fault says what the toolkit was about when its own statement failed, and what helps. It is always one of the store.
func (t *target) fault(ctx context.Context, about string, err error) error {
	return projector.AsStore(t.explain(ctx, about, err))
}

func (t *target) explain(ctx context.Context, about string, err error) error {
	pg, is := errors.AsType[*pgconn.PgError](err)
	switch {
	case is && pg.Code == ledger.NoRight:
		return fmt.Errorf("projection %s: PostgreSQL does not let %q %s: %w; as the owner of the tables run: GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %q; where they do not exist yet also: GRANT CREATE ON SCHEMA %s TO %q, or create them by hand, see Statements",
			t.projection, t.user(), about, err, strings.Join(t.tables.All(), ", "), t.user(), t.where(), t.user())
	case is && pg.Code == "25006":
		return fmt.Errorf("projection %s: cannot %s: %w; the server takes no writes, as a standby, or default_transaction_read_only is on: name the primary, with several servers add target_session_attrs=read-write to the address, or reset the setting", t.projection, about, err)
	case is && pg.Code[:2] == "53":
		return fmt.Errorf("projection %s: cannot %s: %w; the database server is out of room, memory or connections", t.projection, about, err)
	case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		stat := t.projection.pool.Stat()
		return fmt.Errorf("projection %s: cannot %s: no connection within %v (%d of %d in use): %v; check that the server answers, or raise pool_max_conns",
			t.projection, about, t.projection.acquire, stat.AcquiredConns(), stat.MaxConns(), err)
	}
	return fmt.Errorf("projection %s: cannot %s: %w", t.projection, about, err)
}

func (t *target) user() string { return t.projection.pool.Config().ConnConfig.User }

// where gives the schema of the tables, as a statement names it.
func (t *target) where() string {
	if t.projection.schema != "" {
		return t.projection.schema
	}
	return "public"
}
