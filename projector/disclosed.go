package projector

import (
	"slices"

	"github.com/seed-3eec0498/muster"
)

// discloses tells whether a row holds something of a subject in clear, as far as codec and view can tell.
func discloses(codec muster.Codec, view AnyView, key string, row storedRow, subject muster.SubjectRef) (bool, error) {
	d, does := codec.(muster.Discloser)
	if !does || view == nil {
		return false, nil
	}
	refs, err := view.disclosed(d, key, row)
	return slices.Contains(refs, subject), err
}

func (v *View[V]) disclosed(codec muster.Discloser, key string, s storedRow) ([]muster.SubjectRef, error) {
	return v.value.Disclosed(codec, v.place(key, s.content), s.payload)
}
