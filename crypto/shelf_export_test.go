package crypto

// Shelf is a shelf of numbers by name.
type Shelf struct{ *shelf[string, int] }

// NewShelf makes one; drop is nil or told of what goes.
func NewShelf(size int, drop func(*int)) Shelf { return Shelf{newShelf[string](size, drop, nil)} }

func (s Shelf) Get(hash uint64, key string) *int             { return s.get(hash, key) }
func (s Shelf) Add(hash uint64, key string, value *int) *int { return s.add(hash, key, value) }
func (s Shelf) Set(hash uint64, key string, value *int)      { s.set(hash, key, value) }
func (s Shelf) Len() int                                     { return s.len() }
func (s Shelf) Empty() []*int                                { return s.empty() }

// Forgotten has it look as if nobody had asked for the key.
func (s Shelf) Forgotten(hash uint64, key string) { s.find(hash, key).used.Store(false) }
