package crypto_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/crypto/internal/personpb"
)

type (
	declaredInner struct {
		Street string `muster:"personal"`
	}
	declaredOwnJSON struct {
		Name string `muster:"personal"`
	}
	declaredTwice struct {
		declaredTwiceInside
		B string `json:"x"`
	}
	declaredTwiceInside struct {
		A string `json:"x" muster:"personal"`
	}
	declaredHidden struct {
		name string `muster:"personal"`
		Off  string `json:"-" muster:"personal"`
	}
	declaredWords struct {
		Name string `muster:"private"`
	}
	declaredSubject struct {
		Owner string
		Name  string  `muster:"personal,subject=Owner"`
		Other string  `muster:"personal,subject=Nobody"`
		Ratio float64 `muster:"subject_id"`
		Third string  `muster:"personal,subject=Ratio"`
		Alone string  `muster:"subject_id"`
		Both  string  `muster:"personal,subject_id"`
		Free  string  `muster:"subject=Both"`
	}
	declaredList struct {
		All map[string][]declaredInner
	}
	declaredHolds struct {
		Own declaredOwnJSON
	}
)

func (declaredOwnJSON) MarshalJSON() ([]byte, error) { return []byte(`"x"`), nil }

var _ = declaredHidden{name: ""}

func TestWrongDeclarations(t *testing.T) {
	w := openCodec(t)
	for _, of := range []struct {
		value any
		want  []string // each in the error
	}{
		{&personpb.BadElement{}, []string{"BadElement.list", "repeated field or map", "mark it personal as a whole"}},
		{&personpb.BadMapElement{}, []string{"BadMapElement.map", "repeated field or map"}},
		{&personpb.BadSubjectName{}, []string{"BadSubjectName.name", `"owner" is no field`}},
		{&personpb.BadSubjectUnmarked{}, []string{"BadSubjectUnmarked.name", "not marked subject_id"}},
		{&personpb.BadSubjectPersonal{}, []string{"BadSubjectPersonal.owner", "both personal and subject_id"}},
		{&personpb.BadSubjectKind{}, []string{"BadSubjectKind.owner", "no single string or integer"}},
		{&personpb.BadSubjectUnused{}, []string{"BadSubjectUnused.owner", "no personal field"}},
		{&personpb.BadSubjectAlone{}, []string{"BadSubjectAlone.name", "not personal"}},
		{declaredOwnJSON{}, []string{"declaredOwnJSON", "makes its own JSON", "Whole"}},
		{declaredTwice{}, []string{"declaredTwice.B", `"x"`}},
		{declaredHidden{}, []string{"declaredHidden.name", "declaredHidden.Off", "not in the JSON"}},
		{declaredWords{}, []string{"declaredWords.Name", `"private"`, "subject_id"}},
		{declaredSubject{}, []string{
			"Name: its subject Owner is not marked", `Other: its subject "Nobody" is no field`, "Ratio is no string or integer", "Alone is marked subject_id",
			"Both is both", "Free names a subject",
		}},
		{declaredList{}, []string{"declaredList.All", "list or map"}},
		{declaredHolds{}, []string{"declaredHolds.Own", "makes its own JSON"}},
		{[]declaredInner{}, []string{"[]crypto_test.declaredInner", "elements", "Whole"}},
	} {
		name := reflect.TypeOf(of.value).String()
		err := w.CheckTypes(reflect.TypeFor[string](), reflect.TypeOf(of.value))
		for _, want := range of.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error lacks %q: %v", name, want, err)
			}
		}
		if _, _, err := w.Encode(nil, eventAt("p-1", 1), of.value); err == nil {
			t.Errorf("%s is encoded all the same", name)
		}
	}
	both := w.CheckTypes(reflect.TypeFor[*personpb.BadElement](), reflect.TypeFor[*personpb.BadSubjectKind](), nil)
	if both == nil || !strings.Contains(both.Error(), "BadElement.list") || !strings.Contains(both.Error(), "BadSubjectKind.owner") {
		t.Errorf("not both faults are reported: %v", both)
	}
	good := []reflect.Type{
		reflect.TypeFor[*personpb.Person](), reflect.TypeFor[*personpb.Transfer](), reflect.TypeFor[muster.Raw](), reflect.TypeFor[int](),
		reflect.TypeFor[map[string]string](), reflect.TypeFor[*declaredInner](), reflect.TypeFor[time.Time](),
	}
	if err := w.CheckTypes(good...); err != nil {
		t.Error(err)
	}
}

func TestWrongConfigurations(t *testing.T) {
	_, err := crypto.Open(t.Context(), crypto.Config{KeyAge: -1, CacheEntries: -1})
	for _, want := range []string{"Keys is nil", "KMS is nil", "SubjectKey has 0 bytes", "bound of the cache", "KeyAge"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
	for want, types := range map[string][]crypto.Declaration{
		"is empty":       {{}},
		"declared twice": {crypto.Whole[string](nil), crypto.Whole[*string](nil)},
		"nil function":   {crypto.Remainder[*personpb.Person](nil)},
		"no personal":    {crypto.Remainder(func(i *personpb.Item) *personpb.Item { return nil })},
		"BadElement":     {crypto.Remainder(func(*personpb.BadElement) *personpb.BadElement { return nil })},
	} {
		cfg := crypto.Config{Keys: newCodecStore(), KMS: &codecKMS{}, SubjectKey: make([]byte, 32), Types: types}
		if codec, err := crypto.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
			_ = codec
		}
	}
}
