package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/internal/ledger"
)

// definition is embedded under a name that leaves its method Definition visible.
type definition = projector.Definition

// Projection is an SQL read model: its functions get the transaction their rows are committed in. It is made and set up once at start, and
// read-only afterwards. Several projections may share a database and the toolkit's tables.
type Projection struct {
	*definition
	db     *sql.DB
	engine Engine
	schema string
	prefix string
	reset  func(ctx context.Context, tx *Tx, shard projector.Shard) error
	beside bool
}

var (
	_ projector.Into[*Tx] = (*Projection)(nil)
	_ projector.Targeted  = (*Projection)(nil)
)

// New begins a projection that writes to db, with functions to come from [projector.On]. db stays the caller's.
func New(name string, db *sql.DB, engine Engine, opts ...projector.Option) *Projection {
	return &Projection{definition: projector.NewDefinition(name, opts...), db: db, engine: engine, prefix: "muster_"}
}

// Hand implements [projector.Into].
func (p *Projection) Hand(tx any) *Tx { return tx.(*Tx) }

// Schema puts the toolkit's tables into a schema, which must be there. The default is that of the connection.
func (p *Projection) Schema(name string) *Projection {
	p.schema = name
	return p
}

// Prefix sets how the names of the toolkit's tables begin. The default is muster_.
func (p *Projection) Prefix(prefix string) *Projection {
	p.prefix = prefix
	return p
}

// OnReset gives a function that removes the projection's rows, before they are built anew and when a version is removed; it runs in the
// transaction that drops the checkpoints. Where shard.Number is [projector.Whole] everything goes; else only what that partition made: give an error
// where rows do not tell. Without a function a projection cannot be rebuilt in place.
func (p *Projection) OnReset(fn func(ctx context.Context, tx *Tx, shard projector.Shard) error) *Projection {
	p.reset = fn
	return p
}

// SideBySide says that the rows of each generation are apart, in tables or columns of their own that the functions choose by [Tx.Running]. OnReset
// removes the rows of the shard's generation alone then.
func (p *Projection) SideBySide() *Projection {
	p.beside = true
	return p
}

// Validate reports everything wrong with the projection, joined; prefix is that of the topics.
func (p *Projection) Validate(prefix string) error {
	return errors.Join(p.definition.Validate(prefix), p.check())
}

func (p *Projection) check() error {
	var faults []error
	add := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf("projection "+p.String()+": "+format, args...))
		}
	}
	add(p.db == nil, "the database is nil; give one from sql.Open")
	add(p.engine.Key == "" || p.engine.Text == "" || p.engine.Bytes == "" || p.engine.Time == "", "the engine does not name its column types; use SQLite or PostgreSQL, or fill in all four")
	add(p.Placement() != projector.Sharded, "a replicated projection would be applied once for all instances; leave Place out")
	if err := ledger.Check(p.schema, p.prefix); err != nil {
		faults = append(faults, fmt.Errorf("projection %s: %w", p, err))
	}
	return errors.Join(faults...)
}

// Target implements [projector.Targeted]. It does not touch the database: one that is away when a service starts is waited for like at any other time.
func (p *Projection) Target(_ context.Context, host projector.Host) (projector.Target, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	return &target{projection: p, engine: &p.engine, prefix: host.Prefix, tables: ledger.Name(p.schema, p.prefix)}, nil
}
