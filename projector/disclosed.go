package projector

import (
	"fmt"
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

// discloser gives the subjects of whom an event of one type holds something in clear.
type discloser func(codec muster.Discloser, ev *muster.Event) ([]muster.SubjectRef, error)

// DisclosedByEvent gives the subjects of whom an event holds something in clear, such as that of a [Letter]; see [muster.Discloser]. A type is known by its
// function, so of an event that has none of its own, or that [OnOthers] takes, there is nobody. The error says that the payload cannot be decoded, and so may hold
// something of anybody.
func (d *Definition) DisclosedByEvent(codec muster.Discloser, ev *muster.Event) (refs []muster.SubjectRef, err error) {
	ask := d.disclosers[ev.Group][ev.Type]
	if ask == nil {
		return nil, nil
	}
	defer func() { // the letter may lie there because of that
		if v := recover(); v != nil {
			refs, err = nil, fmt.Errorf("%s: the decoding panicked: %s", ev.Type, muster.NewPanicError(v).Text)
		}
	}()
	return ask(codec, ev)
}

// letterDiscloses tells whether the event of a letter holds something of a subject in clear, as far as that can be told: an event that cannot be decoded does not
// hold an erasure up, and a verification tells of it.
func (d *Definition) letterDiscloses(codec muster.Codec, l *Letter, subject muster.SubjectRef) bool {
	asked, does := codec.(muster.Discloser)
	if !does {
		return false
	}
	refs, _ := d.DisclosedByEvent(asked, &l.Event)
	return slices.Contains(refs, subject)
}
