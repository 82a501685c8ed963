package cli

import "sync/atomic"

// A counter counts across goroutines.
type counter struct{ n atomic.Uint64 }

func (c *counter) add(n uint64) uint64 { return c.n.Add(n) }
