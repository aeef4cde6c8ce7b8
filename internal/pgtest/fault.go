package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"
)

// Demote restarts the server as a standby of nobody: it answers reads and refuses writes, as one behind a failover does. [Server.Promote] ends that.
func (s *Server) Demote(ctx context.Context) error {
	if err := s.Stop(); err != nil {
		return err
	}
	if err := s.put("standby.signal"); err != nil {
		return err
	}
	return s.Resume(ctx)
}

// Promote makes a standby the primary, and returns when it is.
func (s *Server) Promote(ctx context.Context) error { return s.do(ctx, "select pg_promote()") }

// fullDevice takes no byte: each write to it ends with ENOSPC, as on a disk without room.
const fullDevice = "/dev/full"

// Fill restarts the server with an empty table on a full disk: no row fits into it, "No space left on device" (SQLSTATE 53100). [Server.Free] ends that. The
// error is ErrMissing where the system has no /dev/full.
func (s *Server) Fill(ctx context.Context, table string) error {
	if _, err := os.Stat(fullDevice); err != nil {
		return fmt.Errorf("%w: %w", ErrMissing, err)
	}
	return s.swap(ctx, table, func(file string) error { return os.Symlink(fullDevice, filepath.Join(s.files(), file)) })
}

// Free restarts the server with room for a table that [Server.Fill] was called for.
func (s *Server) Free(ctx context.Context, table string) error { return s.swap(ctx, table, s.put) }

// swap puts another file in the place of an empty table's, while the server is down.
func (s *Server) swap(ctx context.Context, table string, put func(file string) error) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	var file string
	err = conn.QueryRow(ctx, "select pg_relation_filepath($1::regclass)", table).Scan(&file)
	if err := errors.Join(err, conn.Close(ctx), s.Stop()); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(s.files(), file)); err != nil {
		return err
	}
	if err := put(file); err != nil {
		return err
	}
	return s.Resume(ctx)
}

// put makes an empty file among the server's.
func (s *Server) put(name string) error {
	path := filepath.Join(s.files(), name)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return err
	}
	return s.account.owns(path)
}

// do runs a statement as the superuser.
func (s *Server) do(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}
