package bank

import (
	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bankpb"
)

// Accounts is the group: its commands come on the topic accounts.commands, its journal is accounts.events. Six partitions let six replicas
// of the owner share the work; the number is fixed for life.
var Accounts = muster.NewGroup("accounts", muster.Partitions(6))

// The commands. Each answers with the account as it is afterwards.
var (
	Open     = muster.NewCommand[*bankpb.OpenAccount, *bankpb.Account](Accounts, "bank.Open")
	Deposit  = muster.NewCommand[*bankpb.DepositMoney, *bankpb.Account](Accounts, "bank.Deposit")
	Withdraw = muster.NewCommand[*bankpb.WithdrawMoney, *bankpb.Account](Accounts, "bank.Withdraw")
)

// Balance asks for the account. Its answer has seen every command that was answered before it was asked.
var Balance = muster.NewQuery[*bankpb.GetBalance, *bankpb.Account](Accounts, "bank.Balance")

// The events, as they lie in the journal.
var (
	Opened   = muster.NewEvent[*bankpb.Opened](Accounts, "bank.Opened")
	Credited = muster.NewEvent[*bankpb.Credited](Accounts, "bank.Credited")
	Debited  = muster.NewEvent[*bankpb.Debited](Accounts, "bank.Debited")
)

// Transfers is a group of its own: a transfer belongs to neither of its two accounts. The aggregate id is the transfer's.
var Transfers = muster.NewGroup("transfers", muster.Partitions(6))

// Transfer moves money between two accounts. It answers with the account that has paid.
var Transfer = muster.NewCommand[*bankpb.TransferMoney, *bankpb.Account](Transfers, "bank.Transfer")

// How a transfer can end, if it was not refused before anything moved.
var (
	Transferred = muster.NewEvent[*bankpb.Transferred](Transfers, "bank.Transferred")
	GivenBack   = muster.NewEvent[*bankpb.GivenBack](Transfers, "bank.GivenBack")
)
