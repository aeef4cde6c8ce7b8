package crypto

// DrawRenewal has a codec draw from f, of mean 1, when it renews a key.
func DrawRenewal(f func() float64) func(*Config) { return func(c *Config) { c.draw = f } }
