package muster_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-3eec0498/muster"
)

// The handlers' examples share this contract: people sign up, and get a letter from another group.
type (
	signUp   struct{ Name string }
	member   struct{ Number int }
	letter   struct{ Text string }
	noAnswer struct{}
)

var (
	members  = muster.NewGroup("members", muster.Partitions(3))
	SignUp   = muster.NewCommand[signUp, member](members, "members.SignUp")
	SignedUp = muster.NewEvent[signUp](members, "members.SignedUp")
	Rejected = muster.NewEvent[signUp](members, "members.Rejected")
	post     = muster.NewGroup("post", muster.Partitions(6))
	Post     = muster.NewCommand[letter, noAnswer](post, "post.Letter")
)

// A stateless handler may do I/O. What it writes takes effect once, in one transaction: the event, the command to another group, the answer.
func ExampleHandleCommand() {
	handler := muster.HandleCommand(SignUp, func(_ context.Context, cmd *muster.Command, in signUp, w muster.Writer) (member, error) {
		if in.Name == "" {
			return member{}, muster.Errorf(muster.InvalidArgument, "who are you?") // nothing is written
		}
		return member{Number: 1}, errors.Join(
			SignedUp.Write(w, in),
			Post.Write(w, cmd.AggregateID, letter{Text: "welcome"}),
		)
	})
	ctx, client := context.Background(), newLoopback(handler.Behaviour())
	fmt.Println(SignUp.Call(ctx, client, "m-1", signUp{Name: "Ada"}))
	fmt.Println(SignUp.Call(ctx, client, "m-2", signUp{}))
	// Output:
	// {1} <nil>
	// {0} INVALID_ARGUMENT: who are you?
}

// The untyped form takes commands by the name of their type, declared or not.
func ExampleGroup_HandleFunc() {
	handler := members.HandleFunc("members.SignUp", func(_ context.Context, cmd *muster.Command, w muster.Writer) error {
		in, err := SignUp.Decode(w.Codec(), cmd)
		if err != nil {
			return err
		}
		if err := w.Event("members.SignedUp", in); err != nil {
			return err
		}
		return w.Reply(member{Number: 2})
	})
	fmt.Println(SignUp.Call(context.Background(), newLoopback(handler.Behaviour()), "m-1", signUp{Name: "Ada"}))
	// Output: {2} <nil>
}

// clerk is a handler with things of its own, such as a database.
type clerk struct{ greeting string }

func (c *clerk) Handle(_ context.Context, cmd *muster.Command, w muster.Writer) error {
	return w.Event("members.Greeted", c.greeting+" "+cmd.AggregateID)
}

func ExampleGroup_Handle() {
	handler := members.Handle("members.SignUp", &clerk{greeting: "hello"})
	var receipt muster.Receipt
	_, err := SignUp.Call(context.Background(), newLoopback(handler.Behaviour()), "m-1", signUp{}, muster.ReceiptTo(&receipt))
	fmt.Println(err, "revision", receipt.Revision)
	// Output: <nil> revision 1
}

// A bridge takes whatever no other handler of the group takes. Service.Open puts the parts of a group together; Merge is what it does.
func ExampleGroup_CatchAll() {
	bridge := members.CatchAll(func(_ context.Context, cmd *muster.Command, w muster.Writer) error {
		return w.Reply(member{Number: len(cmd.Payload)})
	})
	greet := members.Handle("members.Greet", &clerk{greeting: "hello"})
	both := muster.Merge(bridge.Behaviour(), greet.Behaviour())
	fmt.Println(both.Validate())
	fmt.Println(SignUp.Call(context.Background(), newLoopback(both), "m-1", signUp{Name: "Ada"}))
	// Output:
	// <nil>
	// {14} <nil>
}

// An error event is a fact: it is committed, and the caller is refused.
func ExampleEventType_WriteError() {
	handler := muster.HandleCommand(SignUp, func(_ context.Context, _ *muster.Command, in signUp, w muster.Writer) (member, error) {
		return member{}, Rejected.WriteError(w, in, muster.Errorf(muster.PermissionDenied, "%s is banned", in.Name))
	})
	client := newLoopback(handler.Behaviour())
	_, err := SignUp.Call(context.Background(), client, "m-1", signUp{Name: "Eve"})
	fmt.Println(err)
	// Output: PERMISSION_DENIED: Eve is banned
}

// stepping is a handler that tells how far it is.
func stepping() *muster.Handler {
	return muster.HandleCommand(SignUp, func(_ context.Context, _ *muster.Command, _ signUp, w muster.Writer) (member, error) {
		for percent := 50; percent <= 100; percent += 50 {
			if err := w.Progress(percent); err != nil { // it is not sent; the work goes on
				fmt.Println(err)
			}
		}
		return member{Number: 3}, nil
	})
}

// A stream gives the progress of a command and, at the end, its outcome.
func ExampleCommandType_Stream() {
	for update, err := range SignUp.Stream(context.Background(), newLoopback(stepping().Behaviour()), "m-1", signUp{Name: "Ada"}) {
		switch {
		case err != nil:
			fmt.Println("refused:", err)
		case update.Step != nil:
			percent, err := muster.StepOf[int](update.Step)
			fmt.Println("step", update.Step.Number, percent, err)
		default:
			fmt.Println("done:", update.Result.Number)
		}
	}
	// Output:
	// step 1 50 <nil>
	// step 2 100 <nil>
	// done: 3
}

// The same for a call.
func ExampleOnProgress() {
	show := muster.OnProgress(func(s *muster.Step) { fmt.Println(s.Number, string(s.Payload)) })
	fmt.Println(SignUp.Call(context.Background(), newLoopback(stepping().Behaviour()), "m-1", signUp{Name: "Ada"}, show))
	// Output:
	// 1 50
	// 2 100
	// {3} <nil>
}
