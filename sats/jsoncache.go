package sats

import (
	"sync"
	"sync/atomic"
)

// A knownJSON is a JSONEncoder, or, if encoder is nil, the note that a type has been seen once or cannot have one.
type knownJSON struct {
	jsonKey
	never   bool
	encoder *JSONEncoder
}

// Types live long and are few, or are made for one value. So a type is compiled when it comes a second time, and what
// was compiled is kept, up to a bound, in jsonEncoders; recentJSON stands in front of that.
var (
	recentJSON   [256]atomic.Pointer[knownJSON]
	jsonEncoders sync.Map // jsonKey to *knownJSON
	jsonCount    atomic.Int32
)

// maxJSONEncoders is the number of encoders in jsonEncoders at which all of them are dropped.
const maxJSONEncoders = 4096

type jsonKey struct {
	typ    *Type
	flavor Flavor
}

// knownEncoder returns the encoder of a type that has come before and needs no typespace, else nil.
func knownEncoder(t *Type, f Flavor) *JSONEncoder {
	key := jsonKey{t, f}
	slot := &recentJSON[(wordOfPointer(t)/16+uintptr(f))%uintptr(len(recentJSON))]
	k := slot.Load()
	switch {
	case k == nil || k.jsonKey != key:
		k = &knownJSON{jsonKey: key}
		if known, ok := jsonEncoders.Load(key); ok {
			k = known.(*knownJSON)
		}
		slot.Store(k)
	case k.encoder == nil && !k.never:
		k = &knownJSON{jsonKey: key}
		if e, err := NewJSONEncoder(t, f); err == nil && e.check != nil {
			k.encoder = e
		}
		k.never = k.encoder == nil
		slot.Store(k)
		if jsonCount.Add(1) > maxJSONEncoders {
			jsonCount.Store(1)
			jsonEncoders.Clear()
		}
		jsonEncoders.Store(key, k)
	}
	return k.encoder
}
