package projector

// ReadControl reads one entry of the control table by all who read it: orders, what serves, builds. It gives how many orders and faults there are.
func ReadControl(key string, value []byte, projection string) (orders, faults int) {
	entries := map[string]Entry{key: {Value: value, Number: 1}}
	read, wrong := readOrders(entries, projection)
	if serving, is := readServing(entries, projection); is && serving.Version < 1 {
		return -1, 0
	}
	readBuild(entries, projection)
	return len(read.acts), len(wrong)
}
