package history

import "time"

// erased is I12. A subject nobody probed after its erasure is a violation, too: nothing would be known of it.
func (c *check) erased() {
	final := map[string]time.Time{} // by subject: from then on nothing may open
	for _, e := range c.r.Erasures {
		final[e.Subject] = e.Told.Add(e.Within)
	}
	probed, before := map[string]bool{}, map[string]*Probe{}
	for i := range c.r.Probes {
		p := &c.r.Probes[i]
		since, gone := final[p.Subject]
		switch {
		case gone && !p.At.Before(since):
			probed[p.Subject] = true
			if p.Opened {
				c.fault("%s opened at %v for a subject whose erasure was final at %v", p.Where, p.At, since)
			}
		case gone: // in the time in which it may or may not open
		case !p.Opened:
			c.fault("%s did not open at %v, though nobody erased its subject", p.Where, p.At)
		case before[p.Where] == nil:
			before[p.Where] = p
		case before[p.Where].Content != p.Content:
			c.fault("%s has changed between %v and %v, though nobody erased its subject", p.Where, before[p.Where].At, p.At)
		}
	}
	for _, e := range c.r.Erasures {
		if !probed[e.Subject] {
			c.fault("nothing of a subject erased at %v was probed after %v", e.Told, e.Within)
		}
	}
}
