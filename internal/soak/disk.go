//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// disk is a small file system that can be filled: memory, mounted.
type disk struct {
	dir string
}

// diskSize is more than an instance needs in a quarter of an hour.
const diskSize = "size=512m"

// mayMount says why there can be none.
func mayMount() error {
	if os.Geteuid() != 0 {
		return errors.New("a disk that can be filled needs root, to mount it")
	}
	return nil
}

// mountDisk makes one in a directory.
func mountDisk(ctx context.Context, dir string) (*disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := command(ctx, "mount", "-t", "tmpfs", "-o", diskSize, "muster-soak", dir); err != nil {
		return nil, err
	}
	return &disk{dir: dir}, nil
}

// unmount takes it away, also from under processes that still have it.
func (d *disk) unmount(ctx context.Context) error { return command(ctx, "umount", "-l", d.dir) }

// ballast is the file that fills a disk.
func (d *disk) ballast() string { return filepath.Join(d.dir, "ballast") }

// fill leaves no room.
func (d *disk) fill() error {
	f, err := os.Create(d.ballast())
	if err != nil {
		return err
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		switch _, err := f.Write(make([]byte, size)); {
		case errors.Is(err, syscall.ENOSPC):
			size /= 2
		case err != nil:
			return fmt.Errorf("fill a disk: %w", err)
		}
	}
	return nil
}

// free makes room again.
func (d *disk) free() error {
	if err := os.Remove(d.ballast()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// wipe takes away what lies in a directory, not the directory.
func wipe(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var faults []error
	for _, e := range entries {
		faults = append(faults, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return errors.Join(faults...)
}
