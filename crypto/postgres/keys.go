package postgres

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-3eec0498/muster/crypto"
)

// Config says where the keys are. The zero value is usable.
type Config struct {
	// Schema holds the table; it is made if there is none. Empty means the first of the connection's search_path.
	Schema string
	// Prefix stands before the name of the table, so that several key spaces fit into one schema. Empty means "muster": the table is muster_keys.
	Prefix string
	// Beat is how often a watch proves that it still hears everything. Zero means 5 s; a watch is cut when a proof takes longer.
	Beat time.Duration
}

// Keys is a key store in PostgreSQL. Its methods may be called by any goroutine.
type Keys struct {
	crypto.KeyStore
	rows *rows
}

var names = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,47}$`)

const defaultBeat = 5 * time.Second

// Open makes or migrates the table where that is needed, and gives the store. The pool is the caller's; each watch takes one connection of it.
func Open(ctx context.Context, pool *pgxpool.Pool, c Config) (*Keys, error) {
	if c.Prefix == "" {
		c.Prefix = "muster"
	}
	if c.Beat == 0 {
		c.Beat = defaultBeat
	}
	if !names.MatchString(c.Prefix) || c.Schema != "" && !names.MatchString(c.Schema) || c.Beat < 0 {
		return nil, fmt.Errorf("keys in PostgreSQL: schema %q, prefix %q, beat %v: give names of up to 48 lower-case letters, digits and underscores, and a positive beat", c.Schema, c.Prefix, c.Beat)
	}
	r := &rows{pool: pool, beat: c.Beat, schema: c.Schema, table: c.Prefix + "_keys", channel: c.Prefix + "_keys"}
	if c.Schema != "" {
		r.table, r.channel = c.Schema+"."+r.table, c.Schema+"_"+r.channel
	}
	if err := r.prepare(ctx); err != nil {
		return nil, fmt.Errorf("keys in PostgreSQL: table %s: %w", r.table, err)
	}
	return &Keys{KeyStore: crypto.KeysIn(r), rows: r}, nil
}

// rows implements [crypto.Rows].
type rows struct {
	pool    *pgxpool.Pool
	beat    time.Duration
	schema  string
	table   string
	channel string
}

// format is that of the table, in its comment.
const format = "muster keys 1"

// statements make the table. Place is that of the last change of the row, held is what package crypto has to say of the subject.
func (r *rows) statements() []string {
	return []string{
		"create table if not exists " + r.table + " (subject bytea primary key, place bigint not null, held bytea not null)",
		"comment on table " + r.table + " is '" + format + "'",
	}
}

// Statements gives what Open runs where there is no table yet, for those who keep that right from services.
func Statements(c Config) []string {
	if c.Prefix == "" {
		c.Prefix = "muster"
	}
	r := &rows{table: c.Prefix + "_keys"}
	if c.Schema != "" {
		r.table = c.Schema + "." + r.table
	}
	return r.statements()
}

func (r *rows) prepare(ctx context.Context) error {
	there, err := r.check(ctx, r.pool)
	if err != nil || there {
		return err
	}
	return pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock(hashtext($1))", "muster "+r.table); err != nil { // instances start at once
			return err
		}
		if there, err := r.check(ctx, tx); err != nil || there {
			return err
		}
		all := r.statements()
		if r.schema != "" {
			all = append([]string{"create schema if not exists " + r.schema}, all...)
		}
		for _, statement := range all {
			if _, err := tx.Exec(ctx, statement); err != nil {
				if lacksRight(err) {
					return fmt.Errorf("%w; as the owner of the schema run: %s; and grant SELECT, INSERT, UPDATE on it", err, all)
				}
				return err
			}
		}
		return nil
	})
}

// check tells whether the table is there, and fails when it is of another format.
func (r *rows) check(ctx context.Context, db interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
},
) (bool, error) {
	var there bool
	var found string
	if err := db.QueryRow(ctx, "select to_regclass($1) is not null, coalesce(obj_description(to_regclass($1), 'pg_class'), '') from pg_database where datname = current_database()", r.table).Scan(&there, &found); err != nil {
		return false, err
	}
	if there && found != format {
		return false, fmt.Errorf("it says %q, and this build knows %q; run the newer build again, or choose another prefix", found, format)
	}
	return there, nil
}

// Get implements [crypto.Rows].
func (r *rows) Get(ctx context.Context, subject crypto.SubjectRef) ([]byte, error) {
	var held []byte
	err := r.pool.QueryRow(ctx, "select held from "+r.table+" where subject = $1", subject[:]).Scan(&held)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return held, r.denied(err)
}

// denied makes [crypto.ErrNoAccess] of an error that says that the role has no right to the table.
func (r *rows) denied(err error) error {
	if lacksRight(err) {
		return fmt.Errorf("%w: grant SELECT on %s to those who open, and INSERT and UPDATE to those who seal: %w", crypto.ErrNoAccess, r.table, err)
	}
	return err
}

// lacksRight tells whether an error says that the role may not do this: SQLSTATE insufficient_privilege, see PostgreSQL, appendix A.
func lacksRight(err error) bool {
	pg, is := errors.AsType[*pgconn.PgError](err)
	return is && pg.Code == "42501"
}

// Update implements [crypto.Rows].
func (r *rows) Update(ctx context.Context, subject crypto.SubjectRef, f func(held []byte, place int64) ([]byte, error)) error {
	for {
		again, err := r.update(ctx, subject, f)
		if err != nil || !again {
			return err
		}
	}
}

// update changes a row; again says that another process has made the row meanwhile.
func (r *rows) update(ctx context.Context, subject crypto.SubjectRef, f func(held []byte, place int64) ([]byte, error)) (again bool, err error) {
	var own error
	err = pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		var held []byte
		var place int64
		err := tx.QueryRow(ctx, "select held, place from "+r.table+" where subject = $1 for update", subject[:]).Scan(&held, &place)
		fresh := errors.Is(err, pgx.ErrNoRows)
		if err != nil && !fresh {
			return err
		}
		next, err := f(held, place+1)
		if err != nil || next == nil {
			own = err
			return err
		}
		var batch pgx.Batch
		if fresh {
			batch.Queue("insert into "+r.table+" values ($1, 1, $2) on conflict do nothing", subject[:], next)
		} else {
			batch.Queue("update "+r.table+" set held = $2, place = place + 1 where subject = $1", subject[:], next)
		}
		batch.Queue("select pg_notify($1, $2)", r.channel, notice(subject, place))
		results := tx.SendBatch(ctx, &batch)
		tag, err := results.Exec()
		again = err == nil && tag.RowsAffected() == 0
		if err := errors.Join(err, results.Close()); err != nil {
			return err
		}
		if again {
			return errAgain
		}
		return nil
	})
	switch {
	case again:
		return true, nil
	case own != nil:
		return false, own
	}
	return false, r.denied(err)
}

var errAgain = errors.New("another process was faster")

// Scan implements [crypto.Rows].
func (r *rows) Scan(ctx context.Context, f func(held []byte) error) error {
	found, err := r.pool.Query(ctx, "select held from "+r.table+" order by subject")
	if err != nil {
		return r.denied(err)
	}
	defer found.Close()
	for found.Next() {
		var held []byte
		if err := found.Scan(&held); err != nil {
			return err
		}
		if err := f(held); err != nil {
			return err
		}
	}
	return r.denied(found.Err())
}
