package netguard

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
)

// Every range of spec 03 §11.4 is blocked at both ends, and what is next to it is not.
func TestBlockedAddresses(t *testing.T) {
	for _, tt := range []struct{ first, last, before, after string }{
		{"0.0.0.0", "0.255.255.255", "", "1.0.0.0"},
		{"10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"},
		{"100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0"},
		{"127.0.0.0", "127.255.255.255", "126.255.255.255", "128.0.0.0"},
		{"169.254.0.0", "169.254.255.255", "169.253.255.255", "169.255.0.0"},
		{"172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0"},
		{"192.0.0.0", "192.0.0.255", "191.255.255.255", "192.0.1.0"},
		{"192.0.2.0", "192.0.2.255", "192.0.1.255", "192.0.3.0"},
		{"192.31.196.0", "192.31.196.255", "192.31.195.255", "192.31.197.0"},
		{"192.52.193.0", "192.52.193.255", "192.52.192.255", "192.52.194.0"},
		{"192.88.99.0", "192.88.99.255", "192.88.98.255", "192.88.100.0"},
		{"192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0"},
		{"192.175.48.0", "192.175.48.255", "192.175.47.255", "192.175.49.0"},
		{"198.18.0.0", "198.19.255.255", "198.17.255.255", "198.20.0.0"},
		{"198.51.100.0", "198.51.100.255", "198.51.99.255", "198.51.101.0"},
		{"203.0.113.0", "203.0.113.255", "203.0.112.255", "203.0.114.0"},
		{"240.0.0.0", "255.255.255.255", "239.255.255.255", ""},
		{"::", "::1", "", "::808:808"},
		{"::ffff:0.0.0.0", "::ffff:255.255.255.255", "::fffe:ffff:ffff", "::1:0:0:0"},
		{"64:ff9b::", "64:ff9b::ffff:ffff", "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", "64:ff9b::1:0:0"},
		{"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "64:ff9b:0:ffff:ffff:ffff:ffff:ffff", "64:ff9b:2::"},
		{"100::", "100::1:ffff:ffff:ffff:ffff", "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "100:0:0:2::"},
		{"2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"},
		{"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
		{"2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"},
		{"2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", "2620:4f:7fff:ffff:ffff:ffff:ffff:ffff", "2620:4f:8001::"},
		{"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"},
		{"5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "5f01::"},
		{"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe00::"},
		{"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fec0::"},
		{"::127.0.0.1", "::10.0.0.1", "", ""},
		{"fe80::1%eth0", "fe80::1%eth0", "", ""},
	} {
		for _, a := range []string{tt.first, tt.last} {
			if !Blocked(netip.MustParseAddr(a)) {
				t.Errorf("%s is not blocked", a)
			}
		}
		for _, a := range []string{tt.before, tt.after} {
			if a != "" && Blocked(netip.MustParseAddr(a)) {
				t.Errorf("%s is blocked", a)
			}
		}
	}
	if !Blocked(netip.Addr{}) {
		t.Error("no address is not blocked")
	}
}

// What is dialled is public, whoever says so: the literal, the name server, or the
// socket at last.
func TestDialer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	names := func(_ context.Context, host string) ([]netip.Addr, error) {
		switch host {
		case "inside.example":
			return []netip.Addr{netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("::ffff:127.0.0.1")}, nil
		case "here.example":
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	d := &Dialer{Resolve: names}
	for _, host := range []string{"127.0.0.1", "::1", "169.254.169.254", "::ffff:127.0.0.1", "fe80::1%lo", "inside.example", "here.example"} {
		if c, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort(host, port)); !errors.Is(err, ErrBlocked) {
			t.Errorf("%s: %v %v", host, c, err)
		}
	}
	// The hook of the dialler does not rely on what was looked up before.
	for _, a := range []string{"127.0.0.1:80", "[::1]:80", "[fe80::1%lo]:80", "nonsense"} {
		if err := d.control("tcp", a, nil); !errors.Is(err, ErrBlocked) {
			t.Errorf("the control hook lets %s pass: %v", a, err)
		}
	}
	if _, err := d.dialOne(t.Context(), "tcp", l.Addr().String(), 1); !errors.Is(err, ErrBlocked) {
		t.Errorf("the dialler: %v", err)
	}
	var unknown *net.DNSError
	if _, err := d.DialContext(t.Context(), "tcp", "nobody.example:80"); !errors.As(err, &unknown) {
		t.Errorf("an unknown name: %v", err)
	}
	if _, err := d.DialContext(t.Context(), "tcp", "no port"); err == nil {
		t.Error("an address without a port is dialled")
	}
	for _, d := range []*Dialer{{Resolve: names, AllowPrivate: true}, {AllowPrivate: true}} {
		for _, host := range []string{"127.0.0.1", "here.example"} {
			if host == "here.example" && d.Resolve == nil {
				continue
			}
			c, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
			if err != nil {
				t.Errorf("%s, when private addresses are allowed: %v", host, err)
				continue
			}
			_ = c.Close()
		}
	}
}
