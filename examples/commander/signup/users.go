package signup

import "github.com/seed-3eec0498/muster"

// Users is the group of the users: commands on users.commands, events on users.events.
var Users = muster.NewGroup("users", muster.Partitions(3))

// Register asks for a new user. Its caller may watch the stages, each a [Stage].
var Register = muster.NewCommand[NewUser, User](Users, "NewUser")

// What can come of it, beside a plain refusal.
var (
	Created  = muster.NewEvent[User](Users, "UserCreated")
	Rejected = muster.NewEvent[Rejection](Users, "UserRejected")
)

// NewUser is what a visitor fills in.
type NewUser struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// User is a user who exists.
type User struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// Rejection says why there is no such user.
type Rejection struct {
	Reason string `json:"reason"`
}

// Stage is a step of progress of [Register].
type Stage struct {
	Name string `json:"name"` // validate, create, notify
}
