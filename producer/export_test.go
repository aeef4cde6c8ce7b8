package producer

// ParseIdentity lets tests take a transactional id apart and put it together again.
func ParseIdentity(text, group string) (again, instance string, lane, slot int, ok bool) {
	id, ok := parseIdentity(text, group)
	return id.text(group), id.instance, id.lane, id.slot, ok
}
