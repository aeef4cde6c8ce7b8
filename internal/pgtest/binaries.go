package pgtest

import (
	"cmp"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// RequiredVariable is the environment variable that makes tests fail, not skip, where there is no PostgreSQL.
const RequiredVariable = "MUSTER_TEST_POSTGRES_REQUIRED"

// ErrMissing says that this machine has no PostgreSQL server.
var ErrMissing = errors.New("pgtest: there is no PostgreSQL server here; install one (Debian: apt-get install postgresql) or add the directory of initdb and postgres to PATH")

// binaries gives the directory that holds initdb and postgres: the newest of Debian's, or what is in PATH.
func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is sound
	number := func(dir string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir))) // no number sorts last
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return cmp.Compare(number(b), number(a)) })
	for _, dir := range found {
		if complete(dir) {
			return dir, nil
		}
	}
	if program, err := exec.LookPath("postgres"); err == nil {
		if target, err := filepath.EvalSymlinks(program); err == nil {
			program = target
		}
		if dir := filepath.Dir(program); complete(dir) {
			return dir, nil
		}
	}
	return "", ErrMissing
}

func complete(dir string) bool {
	for _, program := range []string{"initdb", "postgres"} {
		if _, err := os.Stat(filepath.Join(dir, program)); err != nil {
			return false
		}
	}
	return true
}
