package producer

import (
	"strconv"
	"strings"
)

// identity is what a transactional id says. As text it is
//
//	<prefix><group>/<instance>/<lane>/<slot>
//
// Neither group nor instance contains a slash, so the text can be taken apart again.
type identity struct {
	instance string
	lane     int
	slot     int
}

func (id identity) text(group string) string {
	return group + "/" + id.instance + "/" + strconv.Itoa(id.lane) + "/" + strconv.Itoa(id.slot)
}

// parseIdentity reads the text form of a transactional id of the group, whose name has the prefix in front. False: it is another's.
func parseIdentity(text, group string) (identity, bool) {
	rest, ok := strings.CutPrefix(text, group+"/")
	if !ok {
		return identity{}, false
	}
	parts := strings.Split(rest, "/")
	if len(parts) != 3 || parts[0] == "" {
		return identity{}, false
	}
	lane, laneErr := strconv.Atoi(parts[1])
	slot, slotErr := strconv.Atoi(parts[2])
	id := identity{instance: parts[0], lane: lane, slot: slot}
	if laneErr != nil || slotErr != nil || lane < 0 || slot < 0 || id.text(group) != text {
		return identity{}, false
	}
	return id, true
}
