package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// module is one entry of `go list -m -json all`.
type module struct {
	Path, Version, Dir string
	Main, Indirect     bool
	Replace            *module

	built bool // a package of it is part of the module's packages, tests aside
}

// source is where the code of a module comes from. One that is replaced by a directory keeps its name.
func (m *module) source() *module {
	if m.Replace != nil && m.Replace.Version != "" {
		return m.Replace
	}
	return m
}

// modules lists those of a build, the main one first.
func modules(ctx context.Context, dir string) ([]module, error) {
	used, err := list(ctx, dir, "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./...") // first: it gets what is built, which tells the licences
	if err != nil {
		return nil, err
	}
	listed, err := list(ctx, dir, "-m", "-json", "all")
	if err != nil {
		return nil, err
	}
	built := map[string]bool{}
	for path := range strings.FieldsSeq(string(used)) {
		built[path] = true
	}
	var all []module
	for from := json.NewDecoder(bytes.NewReader(listed)); ; {
		var m module
		if err := from.Decode(&m); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list -m in %s: %w", dir, err)
		}
		m.built = built[m.Path]
		all = append(all, m)
	}
}

func list(ctx context.Context, dir string, args ...string) ([]byte, error) {
	run := exec.CommandContext(ctx, "go", append([]string{"list", "-mod=readonly"}, args...)...)
	run.Dir = dir
	var faults bytes.Buffer
	run.Stderr = &faults
	out, err := run.Output()
	if err != nil {
		return nil, fmt.Errorf("go list in %s: %w: %s", dir, err, faults.String())
	}
	return out, nil
}

// licences tells SPDX names by sentences that stand in their texts, and in no other's. The first that fits counts.
var licences = []struct{ name, sentence string }{
	{"Apache-2.0", "Apache License Version 2.0"},
	{"MPL-2.0", "Mozilla Public License Version 2.0"},
	{"MPL-2.0", "Mozilla Public License, version 2.0"},
	{"GPL", "GNU GENERAL PUBLIC LICENSE"},
	{"GPL", "GNU LESSER GENERAL PUBLIC LICENSE"},
	{"GPL", "GNU AFFERO GENERAL PUBLIC LICENSE"},
	{"ISC", "Permission to use, copy, modify, and/or distribute this software for any purpose"},
	{"ISC", "Permission to use, copy, modify, and distribute this software for any purpose"},
	{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy"},
	{"BSD-3-Clause", "may be used to endorse or promote products derived from this software"},
	{"BSD-2-Clause", "Redistribution and use in source and binary forms, with or without modification"},
}

// licence gives the SPDX name of a module's licence, "" where its code is not here or its text is not known.
func (m *module) licence() string {
	dir := m.source().Dir
	if dir == "" {
		return ""
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	for _, entry := range entries {
		name := strings.ToUpper(entry.Name())
		if !strings.HasPrefix(name, "LICENSE") && !strings.HasPrefix(name, "LICENCE") && !strings.HasPrefix(name, "COPYING") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			continue
		}
		if found := licenceOf(string(text)); found != "" {
			return found
		}
	}
	return ""
}

// licenceOf tells a licence by its text, wherever its lines break.
func licenceOf(text string) string {
	words := strings.Join(strings.Fields(text), " ")
	for _, l := range licences {
		if strings.Contains(words, l.sentence) {
			return l.name
		}
	}
	return ""
}
