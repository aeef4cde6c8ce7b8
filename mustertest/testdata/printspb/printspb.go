// Package printspb prints protobuf messages, for the test that finds those with personal fields.
package printspb

import (
	"fmt"

	"github.com/seed-3eec0498/muster/examples/privacy/peoplepb"
)

func prints(p *peoplepb.Person, o *peoplepb.Order, in []*peoplepb.SignUp) string {
	fmt.Println(o, p.GetCity())
	fmt.Println(p)              // found
	_ = fmt.Sprintf("%s", in)   // found
	return fmt.Sprint("one", p) // found
}
