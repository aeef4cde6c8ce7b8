package crypto

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// wholeFile is a file of one process that is replaced as a whole: after a crash it is the one before or the one after.
type wholeFile struct {
	path string
	lock *os.File
}

// openWhole takes hold of a file, which need not exist, and gives its content, nil when there is none. Its directory is made.
func openWhole(path string) (*wholeFile, []byte, error) {
	if path == "" {
		return nil, nil, fmt.Errorf("%w: no path of a file is given", errInput)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, err
	}
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, nil, err
	}
	if err := lockFile(lock); err != nil {
		lock.Close()
		return nil, nil, fmt.Errorf("crypto: %s is open in another process (%w); a key file serves one at a time, use a key topic or PostgreSQL for several", path, err)
	}
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		lock.Close()
		return nil, nil, err
	}
	return &wholeFile{path: path, lock: lock}, content, nil
}

// replace makes content that of the file. It is on the disk when this returns; with an error it may be.
func (w *wholeFile) replace(content []byte) error {
	next := w.path + ".next"
	f, err := os.OpenFile(next, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(next, w.path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(w.path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (w *wholeFile) close() error { return w.lock.Close() }
