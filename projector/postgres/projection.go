package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/internal/ledger"
)

// definition is embedded under a name that leaves its method Definition visible.
type definition = projector.Definition

// Projection is an SQL read model in PostgreSQL: its functions get the transaction their rows are committed in. It is made and set up once at start,
// and read-only afterwards. Several projections may share a pool and the toolkit's tables.
type Projection struct {
	*definition
	pool    *pgxpool.Pool
	schema  string
	prefix  string
	reset   func(ctx context.Context, tx pgx.Tx, shard projector.Shard) error
	acquire time.Duration
	idle    time.Duration
	beside  bool
}

var (
	_ projector.Into[pgx.Tx] = (*Projection)(nil)
	_ projector.Targeted     = (*Projection)(nil)
)

// New begins a projection that writes through the pool, with functions to come from [projector.On]. The pool stays the caller's. It needs
// one connection per shard that shall be applied at the same time, and one for the toolkit.
func New(name string, pool *pgxpool.Pool, opts ...projector.Option) *Projection {
	return &Projection{definition: projector.NewDefinition(name, opts...), pool: pool, prefix: "muster_", acquire: defaultAcquire, idle: defaultIdle}
}

// Hand implements [projector.Into].
func (p *Projection) Hand(tx any) pgx.Tx { return tx.(*hand) }

// Schema puts the toolkit's tables into a schema, which is made when it is not there. The default is the first of the connection's search path.
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
// transaction that drops the checkpoints, and takes no part of it by itself. Where shard.Number is [projector.Whole] everything goes; else only what that
// partition made, so rows that do not tell their partition allow no rebuild of a part: give an error then. Without a function a projection
// cannot be rebuilt in place; a new [projector.Version] with tables of its own can be built beside it.
func (p *Projection) OnReset(fn func(ctx context.Context, tx pgx.Tx, shard projector.Shard) error) *Projection {
	p.reset = fn
	return p
}

// SideBySide says that the rows of each generation are apart, in tables or columns of their own that the functions choose by what [Running] tells.
// A rebuild fills the next generation then while the one before still serves, and OnReset removes the rows of the shard's generation alone.
func (p *Projection) SideBySide() *Projection {
	p.beside = true
	return p
}

// IdleLimit is after which time PostgreSQL ends a transaction that nobody goes on with, so that a process that hangs does not hold its rows' locks for
// ever. It has to be longer than a function may think between two statements. Zero means two minutes.
func (p *Projection) IdleLimit(limit time.Duration) *Projection {
	if p.idle = limit; limit == 0 {
		p.idle = defaultIdle
	}
	return p
}

// Acquire is how long a batch waits for a connection of the pool before that counts as a fault of the store, which is tried again. Zero means ten seconds.
func (p *Projection) Acquire(limit time.Duration) *Projection {
	if p.acquire = limit; limit == 0 {
		p.acquire = defaultAcquire
	}
	return p
}

const (
	defaultAcquire = 10 * time.Second
	defaultIdle    = 2 * time.Minute
)

// Validate reports everything wrong with the projection, joined; prefix is that of the topics.
func (p *Projection) Validate(prefix string) error {
	return errors.Join(p.definition.Validate(prefix), p.check())
}

func (p *Projection) check() error {
	var faults []error
	if p.pool == nil {
		faults = append(faults, fmt.Errorf("projection %s: the pool is nil; give one from pgxpool.New", p))
	}
	if p.acquire < 0 {
		faults = append(faults, fmt.Errorf("projection %s: Acquire is %v; choose more than 0, or 0 for %v", p, p.acquire, defaultAcquire))
	}
	if p.idle < time.Second {
		faults = append(faults, fmt.Errorf("projection %s: IdleLimit is %v; choose a second or more", p, p.idle))
	}
	if p.Placement() != projector.Sharded {
		faults = append(faults, fmt.Errorf("projection %s: a replicated projection would be applied once for all instances; leave Place out", p))
	}
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
	return &target{projection: p, prefix: host.Prefix, tables: ledger.Name(p.schema, p.prefix)}, nil
}

// Statements gives the statements that create the toolkit's tables, for those whose services may not: run them as the owner, then grant SELECT, INSERT,
// UPDATE and DELETE on the tables to the service. A service finds the tables and creates nothing.
func (p *Projection) Statements() []string {
	return ledger.Name(p.schema, p.prefix).Statements(0, columns)
}

// columns are PostgreSQL's words. The few rows of shards and checkpoints change with every commit: room on their pages keeps these updates cheap.
var columns = ledger.Columns{Key: "text", Text: "text", Bytes: "bytea", Time: "timestamptz", Often: " with (fillfactor = 40)"}
