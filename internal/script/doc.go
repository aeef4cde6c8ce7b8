// Package script runs scenario files: sequences of steps with their expected effects, as text that is read in review.
//
// # One file, from end to end
//
// [Run] opens every file of a directory as a test of its own and asks for a fresh world. A file is a list of steps; each begins with a
// verb and its settings, may have lines below, and ends with the output expected of it:
//
//	# The second command of a batch sees the first one's events.
//	batch slice=1
//	open(acc-1, id=c1)
//	deposit(acc-1, 250, id=c2)
//	----
//	c1 OK revision=1
//	c2 OK revision=2
//
// The step is handed to the world's function for that verb, with the lines read as [Call] values. What it returns is held against the
// file. With -rewrite the file is written anew, to be read in the diff.
package script
