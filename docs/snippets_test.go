package docs_test

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bank"
	"github.com/seed-3eec0498/muster/examples/bank/bankpb"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/postgres"
	"github.com/seed-3eec0498/muster/projector/viewhttp"
	"github.com/seed-3eec0498/muster/service"
)

// The Go blocks of the pages, compiled: TestSnippetsCompile holds each page against what stands here under its name. They are not run; what they show is, in
// the examples of the packages.

var _ = []any{snippetOfViews, snippetOfReading, snippetOfWaiting, snippetOfMending, snippetOfVersions, snippetOfTables, snippetOfMails, snippetOfPublic, snippetOfQueries, snippetOfRoutes}

// projections.md
type total struct{ In, Largest int64 }

func snippetOfViews(ctx context.Context, brokers []string, dir string) (*service.Service, error) {
	totals := projector.NewView[total]("totals", projector.RouteBy(projector.ByKey))
	projector.On(totals, bank.Credited, func(_ context.Context, rows *projector.Rows[total], e *bankpb.Credited, m muster.Meta) error {
		if err := rows.Add("in", e.Amount); err != nil { // a counter over all rows
			return err
		}
		return rows.Update(m.AggregateID, func(t total) total {
			return total{t.In + e.Amount, max(t.Largest, e.Amount)}
		})
	})
	projector.Index(totals, "size", func(_ string, t total) []string {
		if t.In >= 1_000_00 {
			return []string{"large"}
		}
		return nil // not in the index
	})

	svc, err := service.Open(ctx, service.Config{Name: "bank-views", Brokers: brokers, DataDir: dir}, totals)
	_ = err
	return svc, err
}

// projections.md
func snippetOfReading(ctx context.Context, svc *service.Service, totals *projector.View[total], show func(projector.RowChange[total]) error) []any {
	row, err := totals.Get(ctx, svc.Views(), "acc-1")
	_ = err
	page, err := totals.Scan(ctx, svc.Views(), projector.Prefix("acc-"), projector.Limit(50)) // the next page: PageToken(page.Token)
	_ = err
	some := page
	page, err = totals.ByIndex(ctx, svc.Views(), "size", "large")
	_ = err
	all, err := totals.Count(ctx, svc.Views(), "in")
	_ = err
	err = totals.Watch(ctx, svc.Views(), func(c projector.RowChange[total]) error { return show(c) }) // rows as they are, then as they change
	_ = err
	return []any{row, some, page, all, err}
}

// projections.md
func snippetOfWaiting(ctx context.Context, svc *service.Service, totals *projector.View[total], in *bankpb.DepositMoney) []any {
	_, err := bank.Deposit.Call(ctx, svc.Client(), "acc-1", in, muster.WaitFor(totals)) // returns when totals has it
	_ = err
	row, err := totals.Get(ctx, svc.Views(), "acc-1") // so this has it
	_ = err
	return []any{row, err}
}

// projections.md
func snippetOfMending(ctx context.Context, svc *service.Service) []any {
	letters, err := svc.Operator().Letters(ctx, projector.LetterQuery{Scope: projector.Scope{Projection: "totals"}})
	_ = err
	err = svc.Operator().RetryAll(ctx, projector.Scope{Projection: "totals"})
	_ = err
	return []any{letters, err}
}

// projections.md
func snippetOfVersions(ctx context.Context, cfg service.Config, totals, totals2 func(...projector.Option) *projector.View[total]) error {
	v1 := totals(projector.Version(1))
	v2 := totals2(projector.Version(2), projector.Switch(projector.SwitchByHand))
	svc, err := service.Open(ctx, cfg, v1, v2) // deploy both
	_ = err
	err = svc.Operator().AwaitReady(ctx, "totals@2", 0)
	_ = err
	err = svc.Operator().Serve(ctx, "totals", 2) // and Serve(ctx, "totals", 1) goes back
	_ = err
	return err
}

// sql-read-models.md
func snippetOfTables(ctx context.Context, pool *pgxpool.Pool, cfg service.Config, account service.Part) (*service.Service, error) {
	statement := postgres.New("statement", pool).Schema("projections")
	projector.On(statement, bank.Credited, func(ctx context.Context, tx pgx.Tx, e *bankpb.Credited, m muster.Meta) error {
		_, err := tx.Exec(ctx, "insert into statement (account, revision, amount) values ($1, $2, $3)", m.AggregateID, m.Revision, e.Amount)
		return err
	})
	svc, err := service.Open(ctx, cfg, account, statement)
	_ = err
	return svc, err
}

// effects.md
func snippetOfMails(mailer interface {
	Send(ctx context.Context, key, to, subject string) error
},
) service.Part {
	mails := projector.NewEffects("mails", projector.FromLatest())
	projector.On(mails, bank.Opened, func(ctx context.Context, fx projector.Effect, e *bankpb.Opened, m muster.Meta) error {
		return mailer.Send(ctx, fx.Key(), e.Holder, "Welcome")
	})
	return mails
}

type publicCredited struct{ Cents int64 }

// effects.md
func snippetOfPublic() service.Part {
	public := projector.NewPublisher("public-accounts", projector.To("accounts.public", 12))
	projector.On(public, bank.Credited, func(ctx context.Context, out *projector.Outbox, e *bankpb.Credited, m muster.Meta) error {
		return out.Publish(ctx, "accounts.public", muster.CloudEvent{Type: "account.credited.v1"}, publicCredited{Cents: e.Amount})
	})
	return public
}

// queries.md
func snippetOfQueries(ctx context.Context, svc *service.Service, totals *projector.View[total], receipt muster.Receipt) []any {
	row, err := totals.Get(ctx, svc.Views(), "acc-1") // inside of the service
	_, _ = row, err
	page, err := totals.Scan(ctx, svc.Views(), projector.Prefix("acc-"), projector.Limit(50))
	_ = err
	client, err := viewhttp.NewClient("http://totals.internal:8080", nil) // from any other process
	_ = err
	row, err = totals.Get(ctx, client, "acc-1", projector.AtLeast(receipt.Position)) // read your own write
	_ = err
	err = totals.AwaitIn(ctx, client, receipt.Position) // or wait for it alone
	_ = err
	return []any{row, page, err}
}

// queries.md
func snippetOfRoutes() service.Part {
	totals := projector.NewView[total]("totals", projector.RouteBy(projector.ByKey)) // keys of rows are ids of aggregates
	return totals
}
