// Package signup is the contract of the user registration: two groups, what may be asked of them, and what can happen. The service that owns
// them and everybody who talks to it import these values. Messages are plain structs and travel as JSON.
//
//	users   [Register]      UserCreated, and the command SendMail to mails
//	                        UserRejected with AlreadyExists, when the address is taken
//	                        InvalidArgument; PermissionDenied, when mails does not write to such addresses
//	mails   [CheckAddress]  PermissionDenied
//	        [SendMail]      MailSent
//
// The aggregate id is the user's, and for CheckAddress the address.
package signup
