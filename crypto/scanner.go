package crypto

// scanner finds the ends of JSON values. It does not check them: json.Unmarshal will.
type scanner struct {
	data []byte
	at   int
}

func (s *scanner) skip() {
	for s.at < len(s.data) && (s.data[s.at] == ' ' || s.data[s.at] == '\t' || s.data[s.at] == '\n' || s.data[s.at] == '\r') {
		s.at++
	}
}

func (s *scanner) take(c byte) bool {
	if s.at < len(s.data) && s.data[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) end() error {
	if s.skip(); s.at < len(s.data) {
		return errNoObject
	}
	return nil
}

// text gives a string with its quotes, nil where there is none.
func (s *scanner) text() []byte {
	begin := s.at
	if !s.take('"') {
		return nil
	}
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case '\\':
			s.at++
		case '"':
			s.at++
			return s.data[begin:s.at]
		}
		s.at++
	}
	return nil
}

// value gives the bytes of any value, none where there is none.
func (s *scanner) value() []byte {
	begin, depth := s.at, 0
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case '"':
			if s.text() == nil {
				return nil
			}
			if depth == 0 {
				return s.data[begin:s.at]
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return s.data[begin:s.at]
			}
			if depth--; depth == 0 {
				s.at++
				return s.data[begin:s.at]
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return s.data[begin:s.at]
			}
		}
		s.at++
	}
	if depth > 0 {
		return nil
	}
	return s.data[begin:s.at]
}
