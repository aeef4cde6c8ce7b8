package consumer

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// badge is what a member shows to all who look at its consumer group: which service it works for. It rides at the end of the user data in
// the member's metadata, where balancers of all clients read past it:
//
//	+------------------------+------------------+----------------+-------------+
//	| the balancer's own     | badge as JSON    | its size u16 BE| "mstr"      |
//	+------------------------+------------------+----------------+-------------+
//
// Members of builds before 0.1 have none. They are taken for members of the service that looks, so that a fleet can be upgraded one by one.
type badge struct {
	Format  int    `json:"format"`
	Service string `json:"service"`
	Since   int64  `json:"since"`             // milliseconds since 1970: when this member's process opened the group
	Process string `json:"process,omitempty"` // random, drawn when the process opened the group: tells it from another with the same instance name
	Address string `json:"address,omitempty"` // base URL of the queries it answers, where it answers any

	Standbys int             `json:"standbys,omitempty"` // how many copies of each partition the group is to keep
	Copies   map[int32]int64 `json:"copies,omitempty"`   // how far those reach that it has, by partition
}

// badgeFormat is the number of the only format there has been; fields may be added to it, and unknown ones are passed over.
const badgeFormat = 1

const (
	badgeMagic = "mstr"
	badgeTail  = 2 + len(badgeMagic)
	badgeMost  = 1 << 15 // bytes of JSON
)

func newBadge(service string, now time.Time) badge {
	return badge{Format: badgeFormat, Service: service, Since: now.UnixMilli(), Process: rand.Text()}
}

// pin puts the badge on the metadata of a join. Metadata that cannot be read goes as it is.
func (b badge) pin(metadata []byte) []byte {
	meta := kmsg.NewConsumerMemberMetadata()
	if b.Service == "" || meta.ReadFrom(metadata) != nil {
		return metadata
	}
	text, err := json.Marshal(b)
	if err == nil && len(text) > badgeMost && b.Copies != nil { // of so many copies the group does not hear
		b.Copies = nil
		text, err = json.Marshal(b)
	}
	if err != nil || len(text) > badgeMost {
		return metadata
	}
	meta.UserData = append(slices.Clip(meta.UserData), text...)
	meta.UserData = binary.BigEndian.AppendUint16(meta.UserData, uint16(len(text)))
	meta.UserData = append(meta.UserData, badgeMagic...)
	return meta.AppendTo(nil)
}

// readBadge finds the badge in the user data of a member. False: there is none that this build can read.
func readBadge(data []byte) (badge, bool) {
	body := len(data) - badgeTail
	if body < 0 || string(data[body+2:]) != badgeMagic {
		return badge{}, false
	}
	size := int(binary.BigEndian.Uint16(data[body:]))
	if size > body {
		return badge{}, false
	}
	var b badge
	if json.Unmarshal(data[body-size:body], &b) != nil || b.Service == "" {
		return badge{}, false
	}
	return b, true
}
