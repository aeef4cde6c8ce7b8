package main

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"testing"
)

// allowed is every module that go.mod names as direct, with its licence, by the directory of the go.mod. A new one is a decision: what it is for, who keeps it,
// and whether its licence may be combined with MIT. Those that no program of a user imports say so.
var allowed = map[string]map[string]string{
	".": {
		"github.com/anishathalye/porcupine":   "MIT",        // tools of this module
		"github.com/cockroachdb/datadriven":   "Apache-2.0", // tools of this module
		"github.com/cockroachdb/pebble/v2":    "BSD-3-Clause",
		"github.com/google/go-cmp":            "BSD-3-Clause", // tests
		"github.com/google/uuid":              "BSD-3-Clause",
		"github.com/jackc/pgx/v5":             "MIT",
		"github.com/prometheus/client_golang": "Apache-2.0",
		"github.com/prometheus/client_model":  "Apache-2.0", // tools of this module
		"github.com/twmb/franz-go":            "BSD-3-Clause",
		"github.com/twmb/franz-go/pkg/kadm":   "BSD-3-Clause",
		"github.com/twmb/franz-go/pkg/kfake":  "BSD-3-Clause",
		"github.com/twmb/franz-go/pkg/kmsg":   "BSD-3-Clause",
		"go.uber.org/goleak":                  "MIT", // tests
		"google.golang.org/protobuf":          "BSD-3-Clause",
		"modernc.org/sqlite":                  "BSD-3-Clause", // tests and examples
		"pgregory.net/rapid":                  "MPL-2.0",      // tests
	},
	"kms/tink": {
		"github.com/seed-3eec0498/muster":   "MIT",
		"github.com/tink-crypto/tink-go/v2": "Apache-2.0",
	},
	"kms/vault": {"github.com/seed-3eec0498/muster": "MIT"},
}

// compatible are the licences that anything a package is built from may have. MPL-2.0 binds changes of its own files alone; it is that of what package
// mustertest drives state machines with.
var compatible = []string{"MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "ISC", "MPL-2.0"}

func TestDirectModulesAndTheirLicences(t *testing.T) {
	root := filepath.Join("..", "..")
	for dir, wanted := range allowed {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			all, err := modules(t.Context(), filepath.Join(root, dir))
			if err != nil {
				t.Fatal(err)
			}
			direct := map[string]string{}
			for i := range all {
				m := &all[i]
				if m.built && !m.Main && !slices.Contains(compatible, m.licence()) {
					t.Errorf("%s %s is built in; its licence is %q", m.Path, m.Version, m.licence())
				}
				if !m.Main && !m.Indirect {
					direct[m.Path] = m.licence()
				}
			}
			if !maps.Equal(direct, wanted) {
				t.Errorf("direct modules are %v, allowed are %v", direct, wanted)
			}
		})
	}
}

// Every module has a list: a new one under kms would be built by somebody, too.
func TestEveryModuleHasAList(t *testing.T) {
	found, err := filepath.Glob(filepath.Join("..", "..", "kms", "*", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		if dir := "kms/" + filepath.Base(filepath.Dir(path)); allowed[dir] == nil {
			t.Errorf("%s has no list of allowed modules", dir)
		}
	}
	if len(found)+1 != len(allowed) {
		t.Errorf("%d lists for %d modules", len(allowed), len(found)+1)
	}
}

func TestBillOfMaterials(t *testing.T) {
	all, err := modules(t.Context(), filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(billOf(all))
	if err != nil {
		t.Fatal(err)
	}
	var read bill
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	if read.Format != "CycloneDX" || read.Metadata.Component.Name != "github.com/seed-3eec0498/muster" || len(read.Components) != len(all)-1 {
		t.Errorf("%s of %s with %d components of %d modules", read.Format, read.Metadata.Component.Name, len(read.Components), len(all))
	}
	scopes, refs := map[string]string{}, map[string]bool{}
	for _, c := range read.Components {
		scopes[c.Name] = c.Scope
		if refs[c.Ref] {
			t.Errorf("%s is there twice", c.Ref)
		}
		refs[c.Ref] = true
	}
	if scopes["github.com/cockroachdb/pebble/v2"] != "required" || scopes["go.uber.org/goleak"] != "excluded" {
		t.Errorf("pebble is %s, goleak %s", scopes["github.com/cockroachdb/pebble/v2"], scopes["go.uber.org/goleak"])
	}
	for _, on := range read.Dependencies[0].On {
		if !refs[on] {
			t.Errorf("%s is depended on and is no component", on)
		}
	}
}

func TestLicencesAreToldByTheirText(t *testing.T) {
	for text, want := range map[string]string{
		"Permission is hereby granted, free\nof charge, to any person obtaining   a copy":                                                                            "MIT",
		"Redistribution and use in source and binary forms, with or without\nmodification, are permitted":                                                            "BSD-2-Clause",
		"Redistribution and use in source and binary forms, with or without modification ... may be used to endorse or\npromote products derived from this software": "BSD-3-Clause",
		"                                 Apache License\n                           Version 2.0, January 2004":                                                      "Apache-2.0",
		"GNU AFFERO GENERAL PUBLIC LICENSE": "GPL",
		"all rights reserved":               "",
	} {
		if got := licenceOf(text); got != want {
			t.Errorf("%q is told as %q, want %q", text, got, want)
		}
	}
}
