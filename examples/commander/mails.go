package main

import (
	"context"
	"errors"
	"strings"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/commander/signup"
)

// checkAddress answers with the address in the form that mails are sent to.
func checkAddress(_ context.Context, cmd *muster.Command, in signup.Address, _ muster.Writer) (signup.Address, error) {
	email := strings.ToLower(in.Email)
	_, domain, _ := strings.Cut(email, "@")
	switch {
	case domain == "spam.example":
		return signup.Address{}, muster.Errorf(muster.PermissionDenied, "mails to %s are not sent", domain)
	case domain == "slow.example" && cmd.Attempt == 1: // as a mail server does that does not know us yet
		return signup.Address{}, muster.RetryLater(errors.New("greylisted"))
	}
	return signup.Address{Email: email}, nil
}

// sendMail would talk to a mail server here. That is an effect outside of Kafka, so it is made at least once; cmd.ID tells a repeat.
func sendMail(_ context.Context, _ *muster.Command, in signup.Mail, w muster.Writer) (struct{}, error) {
	return struct{}{}, signup.MailSent.Write(w, in)
}
