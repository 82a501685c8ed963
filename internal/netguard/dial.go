package netguard

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// A Dialer connects to public addresses only. The zero value is one without time
// limits; it must not be changed while it is in use.
type Dialer struct {
	// AllowPrivate lets it connect to any address.
	AllowPrivate bool
	// Resolve looks a name up; default: the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// Timeout bounds a connection to the only address of a name, or the last one of
	// several; the others share Several, but have two seconds at least. 0: no limit.
	Timeout, Several time.Duration
}

func resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// DialContext connects to one of the addresses of a name that may be connected to. It
// looks the name up itself and dials what it has checked, so that a second answer of
// the name server cannot slip in between (spec 08 §16). ErrBlocked: there is none.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs, err := d.Addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	var first error
	for i, a := range addrs {
		conn, err := d.dialOne(ctx, network, net.JoinHostPort(a.String(), port), len(addrs)-i)
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

// Check reports ErrBlocked for the literal of an address that may not be connected to.
// Of a name it knows nothing yet.
func (d *Dialer) Check(host string) error {
	if a, err := netip.ParseAddr(host); err == nil && !d.AllowPrivate && Blocked(a) {
		return ErrBlocked
	}
	return nil
}

// Addresses returns the addresses of a name or literal that may be dialled.
func (d *Dialer) Addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, d.Check(host)
	}
	look := d.Resolve
	if look == nil {
		look = resolve
	}
	found, err := look(ctx, host)
	if err != nil {
		return nil, err
	}
	allowed := found[:0:0]
	for _, a := range found {
		if a = a.Unmap(); d.AllowPrivate || !Blocked(a) {
			allowed = append(allowed, a)
		}
	}
	if len(allowed) == 0 {
		return nil, ErrBlocked
	}
	return allowed, nil
}

// dialSlice is the least time that one of several addresses gets.
const dialSlice = 2 * time.Second

// dialOne dials one of left addresses that are left to try. Whatever the address is
// by the time the socket is made, the control hook has the last word.
func (d *Dialer) dialOne(ctx context.Context, network, address string, left int) (net.Conn, error) {
	one := net.Dialer{Control: d.control, Timeout: d.Timeout}
	if left > 1 && d.Several > 0 {
		one.Timeout = max(d.Several/time.Duration(left), dialSlice)
	}
	return one.DialContext(ctx, network, address)
}

func (d *Dialer) control(_, address string, _ syscall.RawConn) error {
	if d.AllowPrivate {
		return nil
	}
	a, err := netip.ParseAddrPort(address)
	if err != nil || Blocked(a.Addr()) {
		return ErrBlocked
	}
	return nil
}
