package kafka

// Partition gives the partition of an aggregate: the one Kafka's Java client chooses by default for a record keyed by the aggregate id
// (murmur2 of the key's bytes, sign bit cleared, modulo). Producers in other languages find the same one; librdkafka names it
// murmur2_random. Partitions must be at least 1, as [muster.Group.Validate] sees to.
func Partition(aggregateID string, partitions int32) int32 {
	return int32(murmur2(aggregateID)&0x7fffffff) % partitions
}

// murmur2 is Austin Appleby's MurmurHash2 with the seed Kafka uses, over bytes taken as little-endian words.
func murmur2[T string | []byte](key T) uint32 {
	const (
		seed  = 0x9747b28c
		mix   = 0x5bd1e995
		shift = 24
	)
	h := uint32(seed) ^ uint32(len(key))
	i := 0
	for ; i+4 <= len(key); i += 4 {
		k := uint32(key[i]) | uint32(key[i+1])<<8 | uint32(key[i+2])<<16 | uint32(key[i+3])<<24
		k *= mix
		k ^= k >> shift
		k *= mix
		h *= mix
		h ^= k
	}
	switch len(key) - i {
	case 3:
		h ^= uint32(key[i+2]) << 16
		fallthrough
	case 2:
		h ^= uint32(key[i+1]) << 8
		fallthrough
	case 1:
		h ^= uint32(key[i])
		h *= mix
	}
	h ^= h >> 13
	h *= mix
	return h ^ h>>15
}
