package signup

import "github.com/seed-3eec0498/muster"

// Mails is the group that writes to users.
var Mails = muster.NewGroup("mails", muster.Partitions(3))

// The commands of the group.
var (
	CheckAddress = muster.NewCommand[Address, Address](Mails, "CheckAddress") // answers with the address as mails are sent to it
	SendMail     = muster.NewCommand[Mail, struct{}](Mails, "SendMail")
)

// MailSent says that a mail is out.
var MailSent = muster.NewEvent[Mail](Mails, "MailSent")

// Address is where mails go.
type Address struct {
	Email string `json:"email"`
}

// Mail is what is sent.
type Mail struct {
	To      string `json:"to"`
	Subject string `json:"subject"`
}
