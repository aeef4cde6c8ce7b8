package crypto

// Personal implements [muster.Sealer]: it tells whether payloads of the value's type can hold something that is sealed. Of a type whose declarations
// are faulty it says so, too.
func (c *Codec) Personal(v any) bool {
	p, err := c.plans.of(v)
	return err != nil || p != nil && p.personal
}
