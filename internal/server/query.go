package server

import (
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"

	"github.com/stdbgo/spacetime/sats"
)

// A query is the decoded query string. Parameters that a route does not know are
// ignored; one that it knows and that is given twice is an error (spec 06 §1.3).
type query []struct{ name, value string }

func parseQuery(raw string) (q query) {
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		q = append(q, struct{ name, value string }{unescape(name), unescape(value)})
	}
	return q
}

// unescape decodes a form-encoded text; what is not a valid escape stays as it is.
func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

func badQuery(format string, args ...any) error {
	return badRequest("Failed to deserialize query string: "+format, args...)
}

// get returns a parameter that may be absent. A parameter may have other names.
func (q query) get(names ...string) (value string, found bool, err error) {
	for _, p := range q {
		for _, name := range names {
			if p.name != name {
				continue
			}
			if found {
				return "", false, badQuery("duplicate field `%s`", names[0])
			}
			value, found = p.value, true
		}
	}
	return value, found, nil
}

// lone returns a parameter that counts as absent when it is given twice.
func (q query) lone(name string) (string, bool) {
	value, found, err := q.get(name)
	return value, found && err == nil
}

func (q query) boolean(name string, absent bool) (bool, error) {
	value, found, err := q.get(name)
	switch {
	case err != nil || !found:
		return absent, err
	case value == "true":
		return true, nil
	case value == "false":
		return false, nil
	}
	return false, badQuery("provided string was not `true` or `false`")
}

// variant returns the index of the value among the names.
func (q query) variant(name string, absent int, names ...string) (int, error) {
	value, found, err := q.get(name)
	if err != nil || !found {
		return absent, err
	}
	for i, n := range names {
		if value == n {
			return i, nil
		}
	}
	if len(names) == 2 {
		return 0, badQuery("unknown variant `%s`, expected `%s` or `%s`", value, names[0], names[1])
	}
	return 0, badQuery("unknown variant `%s`, expected one of `%s`", value, strings.Join(names, "`, `"))
}

func (q query) unsigned(name string, bits int) (value uint64, found bool, err error) {
	text, found, err := q.get(name)
	if err != nil || !found {
		return 0, false, err
	}
	value, err = strconv.ParseUint(text, 10, bits)
	if err != nil {
		return 0, false, badQuery("%s", integerError(text))
	}
	return value, true, nil
}

func integerError(text string) string {
	switch {
	case text == "":
		return "cannot parse integer from empty string"
	case strings.Trim(text, "0123456789") == "":
		return "number too large to fit in target type"
	}
	return "invalid digit found in string"
}

// connectionID reads exactly 32 hex digits.
func (q query) connectionID(name string) (id sats.ConnectionID, found bool, err error) {
	text, found, err := q.get(name)
	if err != nil || !found {
		return id, false, err
	}
	id, err = sats.ParseConnectionID(text)
	if err != nil {
		return id, false, badQuery("%s", hexError(text, len(id)))
	}
	return id, true, nil
}

// hexError says what is wrong with a text that should be n bytes in hex.
func hexError(text string, n int) string {
	if b, err := hex.DecodeString(text); err == nil {
		if len(b) < n {
			return "too few elements for array"
		}
		return "too many elements for array"
	}
	return "invalid value: string " + strconv.Quote(text) + ", expected a byte array or hex string"
}

// hash reads the JSON form of a hash: 0x and a number whose little-endian bytes
// are the digest (spec 06 §10.2).
func (q query) hash(name string) (h sats.Hash, found bool, err error) {
	text, found, err := q.get(name)
	if err != nil || !found {
		return h, false, err
	}
	digits, ok := strings.CutPrefix(text, "0x")
	if !ok || digits == "" {
		return h, false, badQuery("invalid digit found in string")
	}
	digits = strings.TrimLeft(digits, "0")
	if len(digits) > 2*len(h) {
		return h, false, badQuery("number too large to fit in target type")
	}
	b, errHex := hex.DecodeString(strings.Repeat("0", 2*len(h)-len(digits)) + digits)
	if errHex != nil {
		return h, false, badQuery("invalid digit found in string")
	}
	for i := range b {
		h[len(h)-1-i] = b[i]
	}
	return h, true, nil
}
