package projector

// Serving tells what the control table says about which version of a projection answers, and which generation of it; false where it says nothing.
func Serving(entries map[string]Entry, name string) (version, generation int, told bool) {
	record, told := readServing(entries, name)
	return record.Version, record.Generation, told
}
