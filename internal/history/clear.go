package history

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// secrets is I11.
func (c *check) secrets() {
	if len(c.r.Secrets) == 0 || len(c.r.Places) == 0 {
		c.fault("there are %d secrets and %d places to look for them", len(c.r.Secrets), len(c.r.Places))
	}
	for _, s := range c.r.Secrets {
		if s == "" {
			c.fault("an empty secret would be found everywhere")
			return
		}
	}
	for _, p := range c.r.Places {
		found, err := c.search(p)
		if err != nil {
			c.fault("%s cannot be searched: %v", p.Name, err)
		}
		for _, n := range found {
			c.fault("%s has secret %d in clear", p.Name, n) // the secret itself is not for a log
		}
	}
}

// search gives the indexes of the secrets that a place has. Of what was read it keeps as much as the longest secret could begin in.
func (c *check) search(p Place) (found []int, err error) {
	from, err := p.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	longest, seen := 0, map[int]bool{}
	for _, s := range c.r.Secrets {
		longest = max(longest, len(s))
	}
	window, kept := make([]byte, longest+64<<10), 0
	for {
		n, err := from.Read(window[kept:])
		all := window[:kept+n]
		for i, s := range c.r.Secrets {
			if !seen[i] && bytes.Contains(all, []byte(s)) {
				seen[i], found = true, append(found, i)
			}
		}
		kept = copy(window, all[max(0, len(all)-longest+1):])
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return found, err
		}
	}
}

// Files gives every regular file beneath a directory as a place to search.
func Files(dir string) (places []Place, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			places = append(places, Place{Name: path, Open: func() (io.ReadCloser, error) { return os.Open(path) }})
		}
		return err
	})
	return places, err
}
