// Package mutant names defects that can be compiled into Muster on purpose, to see whether the tests find them. A suite is worth what it
// catches. `make mutants` plants each one and runs the tests that have to fail.
//
// Each defect is a constant that is false. It stands at the one place where the code would be wrong, and since it is a constant, the compiler
// leaves nothing of it:
//
//	if err := l.wait(); err != nil || mutant.NoWaiting { ... }
//
// With the build tag `mutant` they are variables, of which the environment variable MUSTER_TEST_MUTANT makes one true, by its name:
// state_before_commit, say. So the tests of a package are built once for all defects, and no program without the tag has any.
//
// To add a defect: a constant here, a variable in planted.go, its place in the code, and a line in the table of package gate. The root
// package imports nothing of this module: its constants are in planted.go there, and only a build with `mutant` takes them from here.
package mutant
