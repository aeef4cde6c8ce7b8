package main

import (
	"fmt"
	"strings"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bankpb"
)

// done checks the answer to a command or a query that should have succeeded, and puts it into words.
func done(account *bankpb.Account, err error, revision uint64, wantBalance int64, wantRevision uint64) (string, error) {
	if err != nil {
		return "", fmt.Errorf("want balance %s, got the error %w", money(wantBalance), err)
	}
	if account.GetBalance() != wantBalance || revision != wantRevision {
		return "", fmt.Errorf("got balance %s at revision %d, want %s at revision %d",
			money(account.GetBalance()), revision, money(wantBalance), wantRevision)
	}
	return fmt.Sprintf("%9s  revision %d", money(wantBalance), wantRevision), nil
}

// refused checks an answer that should be a refusal by the owner, and puts it into words.
func refused(err error, want muster.Code) (string, error) {
	if err == nil {
		return "", fmt.Errorf("it was accepted, want a refusal with %v", want)
	}
	if code := muster.CodeOf(err); code != want {
		return "", fmt.Errorf("want a refusal with %v, got %w", want, err)
	}
	return "refused: " + strings.Replace(err.Error(), want.String()+": ", want.String()+", ", 1), nil
}
