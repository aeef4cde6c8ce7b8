package kafka

// Claim says as whom offsets are committed: a member of a consumer group in one generation of it. The group coordinator refuses the commit
// of anyone else (KIP-447), which is what fences a former owner. The consumer gives it, the producer sends it; it is valid for the
// partitions it was asked for, at the moment it was given.
type Claim struct {
	Group      string // the consumer group
	Member     string // the id the coordinator gave this member
	Instance   string // the static membership's instance id (KIP-345); empty without
	Generation int32  // of the group; in the newer protocol (KIP-848) the member epoch
}
