package main

// bill is a bill of materials as CycloneDX 1.6 has it, with the fields that are needed. It has neither a serial number nor a time: it is a function of
// go.mod and go.sum.
type bill struct {
	Format       string       `json:"bomFormat"`
	Spec         string       `json:"specVersion"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type     string     `json:"type"` // library
	Ref      string     `json:"bom-ref"`
	Name     string     `json:"name"`
	Version  string     `json:"version,omitempty"`
	Scope    string     `json:"scope,omitempty"`
	URL      string     `json:"purl"` // a package URL
	Licences []licensed `json:"licenses,omitempty"`
}

type licensed struct {
	Licence struct {
		ID string `json:"id"`
	} `json:"license"`
}

type dependency struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn"`
}

func billOf(all []module) bill {
	b := bill{Format: "CycloneDX", Spec: "1.6", Version: 1, Components: []component{}}
	direct := dependency{On: []string{}}
	for i := range all {
		c := all[i].component()
		if all[i].Main {
			b.Metadata.Component, direct.Ref = c, c.Ref
			continue
		}
		b.Components = append(b.Components, c)
		if !all[i].Indirect {
			direct.On = append(direct.On, c.Ref)
		}
	}
	b.Dependencies = []dependency{direct}
	return b
}

func (m *module) component() component {
	from := m.source()
	url := "pkg:golang/" + from.Path
	if from.Version != "" {
		url += "@" + from.Version
	}
	c := component{Type: "library", Ref: url, Name: from.Path, Version: from.Version, URL: url}
	switch {
	case m.Main:
	case m.built:
		c.Scope = "required"
	default: // for tests, or a part of the graph that nothing is taken from
		c.Scope = "excluded"
	}
	if name := m.licence(); name != "" {
		one := licensed{}
		one.Licence.ID = name
		c.Licences = []licensed{one}
	}
	return c
}
