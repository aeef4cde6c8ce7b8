package signup_test

import (
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/commander/signup"
)

func TestContractIsSound(t *testing.T) {
	for _, group := range []*muster.Group{signup.Users, signup.Mails} {
		if err := group.Validate(); err != nil {
			t.Error(err)
		}
		if got := group.Partitions(); got != 3 {
			t.Errorf("%s has %d partitions, want 3: it is fixed for life", group.Name(), got)
		}
	}
}

// What the names are on the wire is for ever: records of earlier versions carry them.
func TestWireNamesStay(t *testing.T) {
	for got, want := range map[string]string{
		signup.Users.Name():        "users",
		signup.Register.Name():     "NewUser",
		signup.Created.Name():      "UserCreated",
		signup.Rejected.Name():     "UserRejected",
		signup.Mails.Name():        "mails",
		signup.CheckAddress.Name(): "CheckAddress",
		signup.SendMail.Name():     "SendMail",
		signup.MailSent.Name():     "MailSent",
	} {
		if got != want {
			t.Errorf("name %q, want %q", got, want)
		}
	}
}
