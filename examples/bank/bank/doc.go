// Package bank is the contract of the bank: what may be asked of an account, and what can happen to it. The owner of the accounts and
// everybody who talks to it import these values; nothing else is shared between them.
//
// It depends on Muster's root package and the generated messages, so that a service which only sends commands is not tied to the owner's
// code, nor to a Kafka client by way of the contract.
//
// An account is an aggregate of the group accounts, and its id is the aggregate id. A command asks: [Open], [Deposit], [Withdraw]. The owner
// refuses it, or answers with the account as it is afterwards and appends what happened to the journal: [Opened], [Credited], [Debited].
// [Balance] asks without changing anything.
//
//	Open       Opened            AlreadyExists, InvalidArgument without a holder
//	Deposit    Credited          NotFound, InvalidArgument when the amount is not positive
//	Withdraw   Debited           the same, and FailedPrecondition with a bankpb.Overdraft when the balance is too low
//	Balance                      NotFound
//
// A transfer is no business of one account, so it has a group of its own. [Transfer] takes the money from one account and brings it to the
// other one:
//
//	Transfer   Transferred       InvalidArgument, or what the first account says to the withdrawal: then nothing has moved
//	           GivenBack         what the second account says to the deposit: then the money is on its way back
//
// Its owner may also answer Unavailable, and a caller may get no answer in time: the transfer is not finished then. Sent again with the same
// command id it goes on where it was, and moves the money once.
package bank
