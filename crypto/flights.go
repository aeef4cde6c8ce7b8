package crypto

import "sync"

// keyName names a data key; without an id, the active key of a subject.
type keyName struct {
	ref SubjectRef
	id  KeyID
}

// flights holds what is being asked of the key store.
type flights struct {
	mu     sync.Mutex // guards byName
	byName map[keyName]*flight
}

type flight struct {
	done chan struct{} // closed once key and err are set
	key  *openKey
	err  error
}

// do runs ask, or waits for the answer to the same question where one is under way.
func (f *flights) do(name keyName, ask func() (*openKey, error)) (*openKey, error) {
	f.mu.Lock()
	if other := f.byName[name]; other != nil {
		f.mu.Unlock()
		<-other.done
		return other.key, other.err
	}
	mine := &flight{done: make(chan struct{}), err: ErrKeyUnavailable} // should ask panic
	if f.byName == nil {
		f.byName = map[keyName]*flight{}
	}
	f.byName[name] = mine
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.byName, name)
		f.mu.Unlock()
		close(mine.done)
	}()
	mine.key, mine.err = ask()
	return mine.key, mine.err
}
