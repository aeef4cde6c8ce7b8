package service

import (
	"context"

	"github.com/seed-3eec0498/muster/projector"
)

// OutwardConfig lets tests open the target of effects and publishers without a service.
type OutwardConfig = outwardConfig

// Outward is that target.
type Outward = outward

// OpenOutward opens it.
func OpenOutward(ctx context.Context, cfg OutwardConfig, d *projector.Definition) (*Outward, error) {
	return openOutward(ctx, cfg, d)
}
