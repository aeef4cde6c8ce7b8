package postgres_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-3eec0498/muster/internal/pgtest"
	"github.com/seed-3eec0498/muster/projector/postgres"
)

// drowsy falls asleep before a statement: its transaction stays as it is.
type drowsy struct {
	before        string
	once          sync.Once
	asleep, wakes chan struct{}
}

func (d *drowsy) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.Contains(data.SQL, d.before) {
		d.once.Do(func() {
			close(d.asleep)
			<-d.wakes
		})
	}
	return ctx
}

func (*drowsy) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// A process that is frozen while it claims a shard, with the row of the projection locked, does not keep others from claiming theirs, and has claimed
// nothing when it wakes.
func TestClaimBesideOneThatSleeps(t *testing.T) {
	url := pgtest.Database(t)
	pool := open(t, url)
	heir := target(t, postgres.New("model", pool).IdleLimit(time.Second))
	claim(t, heir, shard("model")) // the tables are there

	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	tracer := &drowsy{before: "on conflict (projection, generation, shard)", asleep: make(chan struct{}), wakes: make(chan struct{})}
	config.ConnConfig.Tracer = tracer
	tired, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tired.Close)
	wake := sync.OnceFunc(func() { close(tracer.wakes) })
	t.Cleanup(wake) // before the pool is closed, which waits for it
	sleeper, ended := target(t, postgres.New("model", tired).IdleLimit(time.Second)), make(chan error, 1)
	go func() {
		_, err := sleeper.Claim(t.Context(), shard("model"))
		ended <- err
	}()
	<-tracer.asleep
	soon, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	h, err := heir.Claim(soon, shard("model"))
	if err != nil {
		t.Fatal(err)
	}
	b := begin(t, h)
	if err := b.Commit(t.Context(), change(3)); err != nil {
		t.Fatal(err)
	}
	wake()
	if err := <-ended; err == nil {
		t.Error("who slept has claimed the shard in a transaction that was ended")
	}
	if n := next(t, h); n != 3 {
		t.Errorf("the checkpoint is at %d", n)
	}
}
