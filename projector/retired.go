package projector

import (
	"time"

	"github.com/seed-3eec0498/muster"
)

// ReasonRetired is the reason of the error of who reads, or waits for, a version that is out of use.
const ReasonRetired = "retired"

// Retired says that a version is out of use, nil when it is not: a higher one has served for longer than those before it are kept, see [KeepOld], so
// that its rows go, or have gone, on all instances. Its code is FailedPrecondition; asking again does not help.
func (v *Versions) Retired(version int) error {
	entries, _ := v.config.Runner.Control.Entries()
	record, told := readServing(entries, v.name)
	if !told || version >= record.Version {
		return nil
	}
	keep := keptBy(v.config.Editions, &record)
	if v.config.Runner.Now().Sub(record.Since) < keep {
		return nil
	}
	old, now := editionName(v.name, version), editionName(v.name, record.Version)
	e := muster.Errorf(muster.FailedPrecondition, "%s is out of use: %s serves since %s, and older versions were kept for %v; read through a handle of version %d, "+
		"or with AtVersion(0) where its rows can be decoded as those of version %d", old, now, record.Since.Format(time.RFC3339), keep, record.Version, version)
	e.Reason = ReasonRetired
	return e
}

// keptBy gives how long the versions before the one that serves are kept: it says so itself, where this build knows it.
func keptBy(editions []Edition, serving *servingRecord) time.Duration {
	for _, e := range editions {
		if e.Definition.version == serving.Version {
			return e.Definition.keeps()
		}
	}
	return defaultKeepOld
}
