package abi

const (
	// MaxEnvKey is the longest key of an environment variable. A longer or empty key is answered with
	// ErrHostCallFailure before it is looked at.
	MaxEnvKey = 256
	// maxEnvSources is how many byte sources a call may have that it has not read to their end, if it asks for a variable.
	maxEnvSources = 256
)

// EnvGet opens a source with the value of an environment variable, even if that is empty; 0 means that it is not set.
// The checks stand in the order of spec 03 §5.19.
func (c *Context) EnvGet(key string) (src uint32, e Errno) {
	value, set, e := c.Env(key)
	switch {
	case e != OK || !set:
		return 0, e
	case c.sources.live() >= maxEnvSources:
		return 0, ErrNoSpace
	}
	return c.addSource(value), OK
}

// Env is EnvGet for engines that need no source.
func (c *Context) Env(key string) (value []byte, set bool, e Errno) {
	if !validEnvKey(key) {
		return nil, false, ErrHostCallFailure
	}
	switch c.call.Kind {
	case KindInit:
		Fault("env_get is not available while no function runs")
	case KindReducer, KindView:
		if c.call.Tx == nil {
			return nil, false, ErrNotInTransaction
		}
		c.call.Tx.ReadTable(hiddenTable) // a view depends on all variables, set or not (spec 08 §14.3)
	}
	c.spend(rowOverhead)
	value, declared, set := c.svc.Env(c.call.Tx, c.call.Function, key)
	if !declared {
		Fault("the module of this function does not declare the environment variable %s", key)
	}
	c.spend(uint64(len(value)) / unitsPerByte)
	return value, set, OK
}

func validEnvKey(key string) bool {
	if len(key) == 0 || len(key) > MaxEnvKey || '0' <= key[0] && key[0] <= '9' {
		return false
	}
	for i := range len(key) {
		switch b := key[i]; {
		case 'A' <= b && b <= 'Z', 'a' <= b && b <= 'z', '0' <= b && b <= '9', b == '_':
		default:
			return false
		}
	}
	return true
}
