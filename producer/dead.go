package producer

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/seed-3eec0498/muster/kafka"
)

// FenceDead aborts whatever instances of the group that are dead have left open, wherever it lies, and returns the transactional ids it fenced.
// FenceLeftovers finds what hides records of the group's own journal; commands that handlers wrote to other groups lie in topics that this
// group does not read, and hold up their owners until the transaction timeout; dead letters alone hold up the group's offsets.
//
// liveInstances are those that are still in the consumer group, this one or not; what they hold is left alone.
func (p *Producer) FenceDead(ctx context.Context, liveInstances []string) ([]string, error) {
	listed, err := kadm.NewClient(p.admin).ListTransactions(ctx, nil, []string{"Ongoing"})
	if err != nil && len(listed) == 0 {
		return nil, fmt.Errorf("producer: group %s: %w", p.cfg.Group.Name(), kafka.Map("list transactions", err))
	}
	var fenced []string
	var faults []error
	for _, text := range listed.TransactionalIDs() {
		if _, ours := parseIdentity(text, p.transactionalGroup()); !ours || !p.isLeftover(text, liveInstances) {
			continue
		}
		if err := p.initialise(ctx, text); err != nil {
			faults = append(faults, err)
			continue
		}
		p.log.Info("fenced a leftover transaction", "id", text)
		fenced = append(fenced, text)
	}
	return fenced, errors.Join(faults...)
}
