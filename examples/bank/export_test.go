package main

import (
	"context"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bank"
	"github.com/seed-3eec0498/muster/examples/internal/stage"
	"github.com/seed-3eec0498/muster/service"
)

// What tests need of the program beside Main.
var NewFace = newFace

// Accounts is the part of the owner that has the accounts.
func Accounts() service.Part { return newAccount() }

// Transfers is the part of the owner that has the transfers.
func Transfers() service.Part { return muster.HandleCommand(bank.Transfer, transfers{}.transfer) }

// Start runs a service until stop is called.
func Start(ctx context.Context, cfg service.Config, parts ...service.Part) (svc *service.Service, stop func() error, err error) {
	r, err := stage.Start(ctx, cfg, parts...)
	if err != nil {
		return nil, nil, err
	}
	return r.Service, r.Stop, nil
}
