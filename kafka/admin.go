package kafka

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
)

// Admin checks and makes what a service needs on the cluster before its first record.
type Admin struct {
	client *kgo.Client
	cfg    Config
}

// OpenAdmin connects, and fails within ctx when no broker answers.
func OpenAdmin(ctx context.Context, cfg Config) (*Admin, error) {
	client, err := cfg.Client()
	if err != nil {
		return nil, err
	}
	if err := client.Ping(ctx); err != nil {
		client.Close()
		return nil, cfg.Map("reach the brokers at "+strings.Join(cfg.brokers(), ","), err)
	}
	return &Admin{client: client, cfg: cfg}, nil
}

// Close ends the connection.
func (a *Admin) Close() { a.client.Close() }

// CheckTransactions is the function of that name.
func (a *Admin) CheckTransactions(ctx context.Context) error { return CheckTransactions(ctx, a.client) }

// EnsureGroup is the function of that name.
func (a *Admin) EnsureGroup(ctx context.Context, g *muster.Group, create bool) (TopicIDs, error) {
	ids, err := EnsureGroup(ctx, a.client, g, a.cfg.Prefix, create)
	return ids, a.as(err)
}

// EnsureReplies is the function of that name.
func (a *Admin) EnsureReplies(ctx context.Context, service string, partitions int32, create bool) (int32, error) {
	n, err := EnsureReplies(ctx, a.client, a.cfg.Prefix, service, partitions, create)
	return n, a.as(err)
}

// EnsureLedger is the function of that name.
func (a *Admin) EnsureLedger(ctx context.Context, service string, create bool) error {
	return a.as(EnsureLedger(ctx, a.client, a.cfg.Prefix, service, create))
}

// EnsureTarget is the function of that name.
func (a *Admin) EnsureTarget(ctx context.Context, topic string, partitions int32, create bool) (int32, error) {
	n, err := EnsureTarget(ctx, a.client, a.cfg.Prefix, topic, partitions, create)
	return n, a.as(err)
}

// EnsureControl is the function of that name.
func (a *Admin) EnsureControl(ctx context.Context, service string, create bool) error {
	return a.as(EnsureControl(ctx, a.client, a.cfg.Prefix, service, create))
}

// EnsureKeys is the function of that name.
func (a *Admin) EnsureKeys(ctx context.Context, space string, create bool) error {
	return a.as(EnsureKeys(ctx, a.client, a.cfg.Prefix, space, create))
}

// EnsureErasures is the function of that name.
func (a *Admin) EnsureErasures(ctx context.Context, space string, create bool) error {
	return a.as(EnsureErasures(ctx, a.client, a.cfg.Prefix, space, create))
}

// as adds to an error about a missing right whom it concerns.
func (a *Admin) as(err error) error {
	if deniedResource(err) == "" {
		return err
	}
	return fmt.Errorf("principal %s: %w", a.cfg.principal(), err)
}
