package sats

import (
	"errors"
	"strings"
)

// An Identity is a 256-bit identity in BSATN order, little-endian: the reverse of its hexadecimal text
// (spec 01 §7.2).
type Identity [32]byte

// A ConnectionID is a 128-bit connection id in BSATN order, the reverse of its hexadecimal text (spec 01 §7.5).
type ConnectionID [16]byte

// A Uuid holds the sixteen bytes of a UUID in BSATN order, the reverse of their usual order.
type Uuid [16]byte

// A Hash is a 32-byte hash with its bytes in order: text and BSATN agree (spec 01 §7.6). Its type is U256.
type Hash [32]byte

// HashType is the type of a Hash as a column.
var HashType = U256Type

var errHex = errors.New("not the expected number of hexadecimal digits")

// appendHexReversed appends the bytes of p from the last to the first.
func appendHexReversed(b, p []byte) []byte {
	for i := len(p) - 1; i >= 0; i-- {
		b = append(b, hexDigits[p[i]>>4], hexDigits[p[i]&15])
	}
	return b
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// parseHex fills p with exactly 2*len(p) digits of s in order.
func parseHex(p []byte, s string) error {
	if len(s) != 2*len(p) {
		return errHex
	}
	for i := range p {
		hi, ok1 := unhex(s[2*i])
		lo, ok2 := unhex(s[2*i+1])
		if !ok1 || !ok2 {
			return errHex
		}
		p[i] = hi<<4 | lo
	}
	return nil
}

func parseHexReversed(p []byte, s string) error {
	if err := parseHex(p, s); err != nil {
		return err
	}
	for i, j := 0, len(p)-1; i < j; i, j = i+1, j-1 {
		p[i], p[j] = p[j], p[i]
	}
	return nil
}

// trimHexPrefix removes 0x or X', the prefixes accepted in names and literals (spec 01 §5.2).
func trimHexPrefix(s string) string {
	if t, ok := strings.CutPrefix(s, "0x"); ok {
		return t
	}
	return strings.TrimPrefix(s, "X'")
}

func cmpReversed(a, b []byte) int {
	for i := len(a) - 1; i >= 0; i-- {
		if a[i] != b[i] {
			return cmpU64(uint64(a[i]), uint64(b[i]))
		}
	}
	return 0
}

// ParseIdentity parses exactly 64 hexadecimal digits of either case, without prefix.
func ParseIdentity(s string) (id Identity, err error) {
	if err = parseHexReversed(id[:], s); err != nil {
		return Identity{}, errors.New("invalid identity: expected 64 hexadecimal digits")
	}
	return id, nil
}

// IdentityFromHexPrefixed parses 64 hexadecimal digits with an optional prefix 0x or X'.
func IdentityFromHexPrefixed(s string) (Identity, error) { return ParseIdentity(trimHexPrefix(s)) }

// String returns 64 lower-case hexadecimal digits.
func (id Identity) String() string { return string(appendHexReversed(make([]byte, 0, 64), id[:])) }

// Abbreviated returns the first sixteen digits of the text.
func (id Identity) Abbreviated() string { return id.String()[:16] }

// IsZero reports whether id is zero.
func (id Identity) IsZero() bool { return id == Identity{} }

// Cmp returns -1, 0 or +1 as the number id is less than, equal to or greater than o.
func (id Identity) Cmp(o Identity) int { return cmpReversed(id[:], o[:]) }

// AppendBSATN appends id in 32 bytes, the least significant first.
func (id Identity) AppendBSATN(b []byte) []byte { return append(b, id[:]...) }

// ReadBSATN sets id to what r reads; what is wrong stands in r.Err.
func (id *Identity) ReadBSATN(r *Reader) { *id = r.Identity() }

// U256 returns the identity as a number.
func (id Identity) U256() U256 { return u256At(id[:]) }

// IdentityFromU256 returns the identity of a number.
func IdentityFromU256(u U256) (id Identity) {
	AppendU256(id[:0], u)
	return id
}

// MarshalText returns the text form, which is also the form in plain JSON.
func (id Identity) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText parses the text form.
func (id *Identity) UnmarshalText(b []byte) (err error) {
	*id, err = ParseIdentity(string(b))
	return err
}

// ParseConnectionID parses exactly 32 hexadecimal digits of either case, without prefix.
func ParseConnectionID(s string) (id ConnectionID, err error) {
	if err = parseHexReversed(id[:], s); err != nil {
		return ConnectionID{}, errors.New("invalid connection id: expected 32 hexadecimal digits")
	}
	return id, nil
}

// ConnectionIDFromHexPrefixed parses 32 hexadecimal digits with an optional prefix 0x or X'.
func ConnectionIDFromHexPrefixed(s string) (ConnectionID, error) {
	return ParseConnectionID(trimHexPrefix(s))
}

// String returns 32 lower-case hexadecimal digits.
func (id ConnectionID) String() string {
	return string(appendHexReversed(make([]byte, 0, 32), id[:]))
}

// Abbreviated returns the first sixteen digits of the text.
func (id ConnectionID) Abbreviated() string { return id.String()[:16] }

// IsZero reports whether id is the reserved zero, which means "no connection".
func (id ConnectionID) IsZero() bool { return id == ConnectionID{} }

// Cmp returns -1, 0 or +1 as the number id is less than, equal to or greater than o.
func (id ConnectionID) Cmp(o ConnectionID) int { return cmpReversed(id[:], o[:]) }

// AppendBSATN appends id in 16 bytes, the least significant first.
func (id ConnectionID) AppendBSATN(b []byte) []byte { return append(b, id[:]...) }

// ReadBSATN sets id to what r reads; what is wrong stands in r.Err.
func (id *ConnectionID) ReadBSATN(r *Reader) { *id = r.ConnectionID() }

// U128 returns the connection id as a number.
func (id ConnectionID) U128() U128 { return u128At(id[:]) }

// ConnectionIDFromU128 returns the connection id of a number.
func ConnectionIDFromU128(u U128) (id ConnectionID) {
	AppendU128(id[:0], u)
	return id
}

// MarshalText returns the text form.
func (id ConnectionID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText parses the text form.
func (id *ConnectionID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseConnectionID(string(b))
	return err
}

// ParseHash parses exactly 64 hexadecimal digits.
func ParseHash(s string) (h Hash, err error) {
	if err = parseHex(h[:], s); err != nil {
		return Hash{}, errors.New("invalid hash: expected 64 hexadecimal digits")
	}
	return h, nil
}

// String returns the bytes in order as 64 lower-case hexadecimal digits.
func (h Hash) String() string { return string(appendHexBytes(make([]byte, 0, 64), h[:])) }

// IsZero reports whether h is zero.
func (h Hash) IsZero() bool { return h == Hash{} }

// Cmp returns -1, 0 or +1 as h is less than, equal to or greater than o, both read as numbers whose last byte is the
// most significant: the order of a column of type HashType.
func (h Hash) Cmp(o Hash) int { return cmpReversed(h[:], o[:]) }

// AppendBSATN appends the 32 bytes of h in their order.
func (h Hash) AppendBSATN(b []byte) []byte { return append(b, h[:]...) }

// ReadBSATN sets h to what r reads; what is wrong stands in r.Err.
func (h *Hash) ReadBSATN(r *Reader) { copy(h[:], r.take(32, "u256")) }

// JSON returns the SATS-JSON text of h: the number read little-endian, so with the bytes reversed, unquoted.
func (h Hash) JSON() string { return string(u256At(h[:]).appendHex(nil)) }

// ParseUuid accepts the hyphenated form, plain digits, {hyphenated} and urn:uuid:hyphenated, in either case.
func ParseUuid(s string) (Uuid, error) {
	switch {
	case len(s) == 38 && s[0] == '{' && s[37] == '}':
		s = s[1:37]
	case len(s) == 45 && strings.HasPrefix(s, "urn:uuid:"):
		s = s[9:]
	}
	if len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' {
		s = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	} else if len(s) != 32 {
		s = ""
	}
	var u Uuid
	if parseHexReversed(u[:], s) != nil {
		return Uuid{}, errors.New("invalid UUID")
	}
	return u, nil
}

// UuidFromBytes returns the UUID of sixteen bytes in their usual order.
func UuidFromBytes(p [16]byte) (u Uuid) {
	for i := range p {
		u[15-i] = p[i]
	}
	return u
}

// Bytes returns the sixteen bytes in their usual order.
func (u Uuid) Bytes() (p [16]byte) { return UuidFromBytes(u) }

// String returns the lower-case hyphenated form.
func (u Uuid) String() string {
	p := u.Bytes()
	b := appendHexBytes(make([]byte, 0, 36), p[:4])
	for _, part := range [][]byte{p[4:6], p[6:8], p[8:10], p[10:]} {
		b = appendHexBytes(append(b, '-'), part)
	}
	return string(b)
}

// IsZero reports whether u is the nil UUID.
func (u Uuid) IsZero() bool { return u == Uuid{} }

// Cmp returns -1, 0 or +1 as the number u is less than, equal to or greater than o.
func (u Uuid) Cmp(o Uuid) int { return cmpReversed(u[:], o[:]) }

// AppendBSATN appends u in 16 bytes, the least significant first.
func (u Uuid) AppendBSATN(b []byte) []byte { return append(b, u[:]...) }

// ReadBSATN sets u to what r reads; what is wrong stands in r.Err.
func (u *Uuid) ReadBSATN(r *Reader) { *u = r.Uuid() }

// Version returns the version digit.
func (u Uuid) Version() int { return int(u[9] >> 4) }

// UuidV4 makes a version 4 UUID of sixteen random bytes (spec 01 §8).
func UuidV4(random [16]byte) Uuid {
	random[6] = random[6]&0x0f | 0x40
	random[8] = random[8]&0x3f | 0x80
	return UuidFromBytes(random)
}

// UuidV7 makes a version 7 UUID of a time, a 31-bit counter and four random bytes, and returns the counter for the
// next one (spec 01 §8). Times before the epoch are an error.
func UuidV7(t Timestamp, counter uint32, random [4]byte) (Uuid, uint32, error) {
	if t < 0 {
		return Uuid{}, counter, errors.New("a version 7 UUID needs a time at or after 1970")
	}
	ms, c := uint64(t)/1000, counter&(1<<31-1)
	p := [16]byte{
		byte(ms >> 40), byte(ms >> 32), byte(ms >> 24), byte(ms >> 16), byte(ms >> 8), byte(ms),
		0x70, byte(c >> 23), 0x80, byte(c >> 15), byte(c >> 7), byte(c&0x7f) << 1,
		random[0] & 0x7f, random[1], random[2], random[3],
	}
	return UuidFromBytes(p), (c + 1) & (1<<31 - 1), nil
}

// Identity reads an Identity.
func (r *Reader) Identity() (id Identity) {
	copy(id[:], r.take(32, "u256"))
	return id
}

// ConnectionID reads a ConnectionID.
func (r *Reader) ConnectionID() (id ConnectionID) {
	copy(id[:], r.take(16, "u128"))
	return id
}

// Uuid reads a Uuid.
func (r *Reader) Uuid() (u Uuid) {
	copy(u[:], r.take(16, "u128"))
	return u
}

// Hash reads a Hash.
func (r *Reader) Hash() (h Hash) {
	h.ReadBSATN(r)
	return h
}
