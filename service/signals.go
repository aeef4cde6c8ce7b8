package service

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// RunUntilSignal is [Service.Run] that ends with SIGTERM or SIGINT, too: what Kubernetes sends before it stops a pod, and Ctrl-C. The first one
// begins to drain, bounded by DrainTimeout; give the supervisor more time than that. From then on signals have their usual effect again,
// so a second one ends the process at once.
func (s *Service) RunUntilSignal(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, os.Interrupt)
	defer stop()
	unhook := context.AfterFunc(ctx, func() {
		stop()
		s.log.Info("asked to end; draining. A second signal ends at once", "within", s.cfg.drainTimeout())
	})
	defer unhook()
	return s.Run(ctx)
}
