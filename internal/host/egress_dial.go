package host

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// resolve looks a name up.
func resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// dial connects to one of the addresses of a name that modules may talk to. It
// looks the name up itself and dials what it has checked, so that a second answer of
// the name server cannot slip in between (spec 08 §16).
func (e *egress) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs, err := e.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	var first error
	for i, a := range addrs {
		conn, err := e.dialOne(ctx, network, net.JoinHostPort(a.String(), port), len(addrs)-i)
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

// addresses returns the addresses of a name or literal that may be dialled.
func (e *egress) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		if !e.o.AllowPrivate && blocked(a) {
			return nil, errBlockedAddress
		}
		return []netip.Addr{a}, nil
	}
	found, err := e.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	allowed := found[:0:0]
	for _, a := range found {
		if a = a.Unmap(); e.o.AllowPrivate || !blocked(a) {
			allowed = append(allowed, a)
		}
	}
	if len(allowed) == 0 {
		return nil, errBlockedAddress
	}
	return allowed, nil
}

// dialSlice is the least time that one of several addresses gets.
const dialSlice = 2 * time.Second

// dialOne dials one of left addresses that are left to try. Whatever the address is
// by the time the socket is made, the control hook has the last word.
func (e *egress) dialOne(ctx context.Context, network, address string, left int) (net.Conn, error) {
	d := net.Dialer{Control: e.control, Timeout: maxTimeout}
	if left > 1 {
		d.Timeout = max(defaultTimeout/time.Duration(left), dialSlice)
	}
	return d.DialContext(ctx, network, address)
}

func (e *egress) control(_, address string, _ syscall.RawConn) error {
	if e.o.AllowPrivate {
		return nil
	}
	a, err := netip.ParseAddrPort(address)
	if err != nil || blocked(a.Addr()) {
		return errBlockedAddress
	}
	return nil
}
