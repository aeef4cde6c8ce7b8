//go:build !unix

package crypto

import "os"

// lockFile keeps nobody out here: a key file is for development, by one process.
func lockFile(*os.File) error { return nil }
