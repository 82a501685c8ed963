package wire

import "github.com/stdbgo/spacetime/sats"

// AppendStrings appends an array of strings.
func AppendStrings(b []byte, list []string) []byte {
	b = sats.AppendLen(b, len(list))
	for _, s := range list {
		b = sats.AppendString(b, s)
	}
	return b
}

// ReadStrings reads an array of strings.
func ReadStrings(r *sats.Reader) []string {
	n := r.Count(4)
	list := make([]string, 0, n)
	for range n {
		if r.Err() != nil {
			return nil
		}
		list = append(list, r.Str())
	}
	return list
}

// AppendOptU32 appends an optional u32; nil is none.
func AppendOptU32(b []byte, v *uint32) []byte {
	if v == nil {
		return sats.AppendNone(b)
	}
	return sats.AppendU32(sats.AppendSome(b), *v)
}

// ReadOptU32 reads an optional u32.
func ReadOptU32(r *sats.Reader) *uint32 {
	if !r.Option() {
		return nil
	}
	v := r.U32()
	return &v
}
