package crypto

import "reflect"

// Declaration says about a type of payloads what the type cannot say itself. Give it to [Config].Types; see [Whole] and [Remainder].
type Declaration struct {
	of      reflect.Type
	what    string // the function that made it
	whole   bool
	subject func(v any) string
	remains func(v any) any
}

// Whole declares that payloads of type T are sealed whole, for the one subject whose id the function gives; nil stands for the aggregate id. T may be
// any type of payload: a protobuf message, a struct, [muster.Raw]. Nothing of such a payload is left once the subject's keys are destroyed.
func Whole[T any](subject func(T) string) Declaration {
	d := Declaration{of: reflect.TypeFor[T](), what: "Whole", whole: true}
	if subject != nil {
		d.subject = func(v any) string {
			t, ok := valueAs[T](v)
			if !ok {
				return ""
			}
			return subject(t)
		}
	}
	return d
}

// valueAs gives a payload as a T, which it is or points to.
func valueAs[T any](v any) (t T, ok bool) {
	switch v := v.(type) {
	case *T:
		if v != nil {
			return *v, true
		}
	case T:
		return v, true
	}
	return t, false
}

// elem gives the type that payloads of it have behind all pointers.
func elem(t reflect.Type) reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}
