package main

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/commander/signup"
	"github.com/seed-3eec0498/muster/service"
)

// registration handles the commands of group users. It may run a command more than once; what it writes takes effect once.
type registration struct {
	users *directory
}

// parts is what the registration service is made of: the handlers of the two groups it owns.
func parts() []service.Part {
	r := &registration{users: newDirectory()}
	return []service.Part{
		signup.Users.HandleFunc(signup.Register.Name(), r.newUser),
		signup.Users.CatchAll(unknownCommand),
		muster.HandleCommand(signup.CheckAddress, checkAddress),
		muster.HandleCommand(signup.SendMail, sendMail),
	}
}

// newUser is a handler as Commander had them: it gets the command as it came, and a writer.
func (r *registration) newUser(ctx context.Context, cmd *muster.Command, w muster.Writer) error {
	in, err := signup.Register.Decode(w.Codec(), cmd)
	if err != nil {
		return err
	}
	progress(w, "validate")
	if in.Name = strings.TrimSpace(in.Name); in.Name == "" {
		return muster.Errorf(muster.InvalidArgument, "a user needs a name") // refused: no event, nothing is kept
	}
	if _, err := mail.ParseAddress(in.Email); err != nil {
		return muster.Errorf(muster.InvalidArgument, "a user needs an e-mail address")
	}
	// A call acts at once. Its command id comes from that of the command in hand, so that it is the same when this runs again.
	checked, err := signup.CheckAddress.Call(ctx, w.Client(), in.Email, signup.Address{Email: in.Email})
	if err != nil {
		return passOn(err)
	}

	progress(w, "create")
	user := signup.User{ID: cmd.AggregateID, Name: in.Name, Email: checked.Email}
	switch err := r.users.add(user, cmd.ID); {
	case errors.Is(err, errTaken):
		// An error event: it is committed, and the caller gets the refusal.
		return signup.Rejected.WriteError(w, signup.Rejection{Reason: "address taken"}, muster.Errorf(muster.AlreadyExists, "the address is taken"))
	case err != nil:
		return muster.RetryLater(err)
	}
	if err := signup.Created.Write(w, user); err != nil {
		return err
	}

	progress(w, "notify")
	// A written command leaves in the same transaction as the event: a user and a welcome, or neither.
	welcome := signup.Mail{To: user.Email, Subject: "Welcome, " + user.Name}
	if err := signup.SendMail.Write(w, user.ID, welcome, muster.NoDeadline()); err != nil {
		return err
	}
	return w.Reply(user)
}

// passOn gives the caller what the other group said. Where a retry can help, as after an outage, the handler asks for another try.
func passOn(err error) error {
	if said, typed := errors.AsType[*muster.Error](err); typed && said.Retry {
		return muster.RetryLater(err)
	}
	return err
}

// progress tells a waiting caller how far it is. The command does not depend on anybody hearing it.
func progress(w muster.Writer, stage string) {
	_ = w.Progress(signup.Stage{Name: stage})
}

// unknownCommand takes what has no handler. A bridge would pass it on.
func unknownCommand(_ context.Context, cmd *muster.Command, w muster.Writer) error {
	note := fmt.Sprintf("users cannot do %s", cmd.Type)
	return w.ErrorEvent("CommandUnknown", signup.Rejection{Reason: note}, muster.Errorf(muster.Unimplemented, "%s", note))
}
