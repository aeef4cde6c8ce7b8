package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/examples/privacy/peoplepb"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// house is the service with everything it stands on. Keys live in memory here, and end with the program.
type house struct {
	*service.Service
	view   *projector.View[*peoplepb.Person]
	secret []byte // makes pseudonyms and references; a real one comes from where secrets are kept, and never changes
	stop   []func()
}

func open(ctx context.Context, brokers []string) (h *house, err error) {
	h = &house{view: directory(), secret: make([]byte, 32)}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	if _, err := rand.Read(h.secret); err != nil {
		return nil, err
	}
	if len(brokers) == 0 {
		broker, err := embedded.Start(context.WithoutCancel(ctx), embedded.Config{})
		if err != nil {
			return nil, err
		}
		h.later(broker.Close)
		brokers = broker.Brokers()
	}
	dir, err := os.MkdirTemp("", "muster-privacy-")
	if err != nil {
		return nil, err
	}
	h.later(func() { _ = os.RemoveAll(dir) })

	h.Service, err = service.Open(ctx, service.Config{
		Name: "people", Brokers: brokers, DataDir: dir, Prefix: "privacy-example.",
		// The first line turns encryption on, the second one lets people be erased.
		Privacy: &crypto.Config{Keys: crypto.NewMemoryKeys(), KMS: crypto.NewMemoryKMS(), SubjectKey: h.secret},
		Erasure: &service.ErasureConfig{KeySpace: "people"},
	}, behaviour(), h.view)
	if err != nil {
		return nil, err
	}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- h.Run(running) }()
	h.later(func() {
		end()
		if err := <-done; err != nil {
			fmt.Fprintln(os.Stderr, "privacy:", err)
		}
	})
	if err := h.AwaitReady(ctx); err != nil {
		return nil, errors.Join(err, ctx.Err())
	}
	return h, nil
}

func (h *house) later(fn func()) { h.stop = append(h.stop, fn) }

// close ends everything in the reverse order of opening.
func (h *house) close() {
	for i := len(h.stop) - 1; i >= 0; i-- {
		h.stop[i]()
	}
}
