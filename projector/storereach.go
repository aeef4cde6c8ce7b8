package projector

// Reach gives how far the rows of each shard are made that are stored here of a view, of the generation that serves: the sum of the offsets at which its
// sources go on. Of two instances the one with more has less to apply.
func (s *Store) Reach(d *Definition) (map[int32]int64, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	s.mu.Lock()
	_, generation := s.servingLocked(d.name, d.version)
	var shards []*storeShard
	for id, sh := range s.shards {
		if id.projection == d.title && id.generation == generation && sh.damaged.Load() == nil {
			shards = append(shards, sh)
		}
	}
	s.mu.Unlock()
	reach := map[int32]int64{}
	for _, sh := range shards {
		all, err := s.checkpoints(s.db, sh.at())
		if err != nil {
			return nil, sh.read(s, "read the positions of "+sh.id.String(), err)
		}
		for i := range all {
			reach[sh.id.number] += all[i].Next
		}
	}
	return reach, nil
}
