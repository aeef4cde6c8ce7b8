package consumer

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// write returns when all in-sync replicas have the record, or with the error of ctx; then it may be written all the same.
//
// It is not produced under ctx: kgo lets go of a record that may have been written only when it knows, and of one that may be let go together with all
// that is buffered behind it, which may be somebody else's.
func write(ctx context.Context, client *kgo.Client, record *kgo.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	written := make(chan error, 1)
	client.TryProduce(context.WithoutCancel(ctx), record, func(_ *kgo.Record, err error) { written <- err })
	select {
	case err := <-written:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
