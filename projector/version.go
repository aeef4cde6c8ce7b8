package projector

import "time"

// Switching says when a new version of a projection takes over from the one that serves.
type Switching uint8

const (
	// SwitchCaughtUp switches by itself when the new version has caught up with the journals on all partitions. The default.
	SwitchCaughtUp Switching = iota
	// SwitchByHand leaves it to an operator.
	SwitchByHand
)

// Switch sets when the version takes over.
func Switch(s Switching) Option { return func(d *Definition) { d.switching = s } }

// KeepOld says how long the rows of the version before stay after a switch, so that one can switch back. Zero means 24 hours.
func KeepOld(t time.Duration) Option { return func(d *Definition) { d.keepOld = t } }
