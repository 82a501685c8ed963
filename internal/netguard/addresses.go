// Package netguard keeps connections that strangers can ask for away from addresses
// which only the machines around the server can mean: private, local and
// special-purpose ones.
//
// It owns the list of these addresses, and promises that what is dialled is what was
// checked. It knows nothing of who asks, or what is said over a connection.
package netguard

import (
	"errors"
	"net/netip"
)

// ErrBlocked is about an address that may not be connected to. Modules read its text.
var ErrBlocked = errors.New("refusing to connect to private or special-purpose addresses")

// blockedRanges are those of spec 03 §11.4: private, local and special-purpose
// addresses, which only the machines around the server can mean.
var blockedRanges = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",

	"::/128", "::1/128", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23",
	"2001::/32", "2001:2::/48", "2001:10::/28", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
	"5f00::/16", "fc00::/7", "fe80::/10",
)

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// Blocked reports whether an address is private, local or special. What is embedded in
// an IPv6 address of the old compatible form (::a.b.c.d) counts by itself; the
// other forms are blocked as a whole.
func Blocked(a netip.Addr) bool {
	a = a.WithZone("")
	if !a.IsValid() {
		return true
	}
	for _, p := range blockedRanges {
		if p.Contains(a) {
			return true
		}
	}
	if b := a.As16(); a.Is6() && [12]byte(b[:12]) == [12]byte{} {
		return Blocked(netip.AddrFrom4([4]byte(b[12:])))
	}
	return false
}
