//go:build !unix

package postgres_test

import "errors"

func child() error { return errors.New("no child is started here") }
