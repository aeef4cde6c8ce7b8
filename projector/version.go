package projector

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Switching says when a new version of a projection takes over from the one that serves.
type Switching uint8

const (
	// SwitchCaughtUp switches by itself when the new version has caught up with the journals on all instances that run the old one. The
	// default. A version that an operator switched away from is not taken up again by itself.
	SwitchCaughtUp Switching = iota
	// SwitchByHand leaves it to [Operator.Serve].
	SwitchByHand
)

// Switch sets when the version takes over.
func Switch(s Switching) Option { return func(d *Definition) { d.switching = s } }

// KeepOld says how long a version goes on, with its rows, after another one has taken over from it, so that one can switch back without a
// moment's wait. Then it is stopped and its rows are removed. It is the option of the version that took over. Zero means 24 hours.
func KeepOld(t time.Duration) Option { return func(d *Definition) { d.keepOld = t } }

// BuildRate bounds how many events a second one instance applies to a version or generation that does not serve yet, so that a rebuild leaves
// room for live work. Zero means no bound.
func BuildRate(perSecond int) Option { return func(d *Definition) { d.buildRate = perSecond } }

const defaultKeepOld = 24 * time.Hour

func (d *Definition) keeps() time.Duration {
	if d.keepOld == 0 {
		return defaultKeepOld
	}
	return d.keepOld
}

// The keys of the control table that say what serves and what is built.
//
//	serving/<name>            servingRecord
//	build/<name>@<version>    buildRecord; without one the generation is 0
const (
	servingKeys = "serving/"
	buildKeys   = "build/"
)

// servingRecord says which version of a projection answers, and which generation of it.
type servingRecord struct {
	Format     int       `json:"format"`
	Version    int       `json:"version"`
	Generation int       `json:"generation"`
	Top        int       `json:"top"` // the highest version that ever served: only higher ones take over by themselves
	Since      time.Time `json:"since"`
	By         string    `json:"by,omitempty"`
}

// buildRecord says which generation of a version is the newest, and where the journals ended when its build was ordered.
type buildRecord struct {
	Format     int        `json:"format"`
	Generation int        `json:"generation"`
	Mark       []actPlace `json:"mark,omitempty"`
	By         string     `json:"by,omitempty"`
	When       time.Time  `json:"when"`
}

func (b *buildRecord) marks() map[Source]int64 {
	if len(b.Mark) == 0 {
		return nil
	}
	marks := make(map[Source]int64, len(b.Mark))
	for _, at := range b.Mark {
		marks[Source{at.Topic, at.Partition}] = at.Offset
	}
	return marks
}

// readServing gives what the table says serves; false where it says nothing that this build can read.
func readServing(entries map[string]Entry, name string) (servingRecord, bool) {
	var record servingRecord
	e, is := entries[servingKeys+name]
	if !is || json.Unmarshal(e.Value, &record) != nil || record.Format != controlFormat || record.Version < 1 {
		return servingRecord{}, false
	}
	return record, true
}

// readBuild gives the newest generation of a version.
func readBuild(entries map[string]Entry, projection string) buildRecord {
	var record buildRecord
	if e, is := entries[buildKeys+projection]; !is || json.Unmarshal(e.Value, &record) != nil || record.Format != controlFormat {
		return buildRecord{}
	}
	return record
}

// splitName takes name@version apart.
func splitName(projection string) (name string, version int, ok bool) {
	name, number, versioned := strings.Cut(projection, "@")
	if !versioned {
		return name, 0, true
	}
	version, err := strconv.Atoi(number)
	return name, version, err == nil && version > 0
}
