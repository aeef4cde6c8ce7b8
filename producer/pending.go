package producer

import (
	"context"
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/seed-3eec0498/muster/kafka"
)

// FencePending aborts all that dead instances have left open, whatever it has written, and returns the transactional ids it fenced. It is
// for offsets that stay unknown because a transaction may still move them: one that wrote nothing but dead letters, or commands to
// other groups, has no record in the journal by which [Producer.FenceLeftovers] could find it.
//
// liveInstances are as there.
func (p *Producer) FencePending(ctx context.Context, liveInstances []string) ([]string, error) {
	listed, err := kadm.NewClient(p.admin).ListTransactions(ctx, nil, []string{"Ongoing"})
	if err != nil && len(listed) == 0 {
		return nil, kafka.Map("list transactions", err)
	}
	var fenced []string
	var faults []error
	for id := range listed {
		if _, ours := parseIdentity(id, p.transactionalGroup()); !ours || !p.isLeftover(id, liveInstances) {
			continue
		}
		if err := p.initialise(ctx, id); err != nil {
			faults = append(faults, err)
			continue
		}
		fenced = append(fenced, id)
	}
	slices.Sort(fenced)
	return fenced, errors.Join(faults...)
}
