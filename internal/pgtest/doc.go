// Package pgtest starts real PostgreSQL servers for tests, from the binaries that the machine has: never a mock. A test process shares one server
// ([Main] and [Database]); a test that kills or restarts its server starts one of its own ([Start]).
//
// Only what was started here is stopped. A server listens on a free port of the loopback interface, keeps its files in a temporary directory, and
// dies with the test process, even one that was killed itself (on Linux). PostgreSQL refuses to run as root, so a test that does starts it as another user.
//
// Where there is no PostgreSQL the tests are skipped by name; with MUSTER_TEST_POSTGRES_REQUIRED=1 they fail instead.
package pgtest
