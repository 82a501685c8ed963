package server

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the machines in front of the server whose word on where a request
// comes from is believed. Everybody else could claim anything.
type Proxies struct {
	Trusted []netip.Prefix
	// Forwarded has the header Forwarded (RFC 7239) believed instead of those that
	// begin with X-Forwarded. Only one kind is: proxies hand the other on as the
	// client sent it.
	Forwarded bool
}

// localProxies are trusted where nothing else is said.
var localProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// trustedProxies is the section [proxy].
func (c *Config) trustedProxies() (p Proxies, err error) {
	p.Forwarded = c.Proxy.Header == "forwarded"
	if c.Proxy.Trusted == nil {
		p.Trusted = localProxies
		return p, nil
	}
	for _, text := range *c.Proxy.Trusted {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			addr, errAddr := netip.ParseAddr(text)
			if errAddr != nil {
				return p, fmt.Errorf("[proxy] trusted: %q is neither an address nor a network like 10.0.0.0/8", text)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		p.Trusted = append(p.Trusted, prefix.Masked())
	}
	return p, nil
}

func (p *Proxies) trust(a netip.Addr) bool {
	for _, prefix := range p.Trusted {
		if prefix.Contains(a) {
			return true
		}
	}
	return false
}

// peerAddr is the address at the other end of a request's connection; invalid if it has
// none, as in programs that embed the server.
func peerAddr(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return plainAddr(at.Addr())
}

func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// client is the address that a request comes from: of what proxies have noted, the
// last one that is no trusted proxy's.
func (p *Proxies) client(r *http.Request) netip.Addr {
	at := peerAddr(r)
	if !p.trust(at) {
		return at
	}
	hops := p.hops(r.Header)
	for i := len(hops) - 1; i >= 0 && p.trust(at); i-- {
		next, ok := hopAddr(hops[i])
		if !ok {
			break
		}
		at = next
	}
	return at
}

// hops are the addresses that proxies have noted, the client's first.
func (p *Proxies) hops(h http.Header) (all []string) {
	if !p.Forwarded {
		for _, line := range h.Values("X-Forwarded-For") {
			all = append(all, strings.Split(line, ",")...)
		}
		return all
	}
	for _, element := range forwardedElements(h) {
		all = append(all, forwardedParam(element, "for"))
	}
	return all
}

// hopAddr reads an address with or without port, brackets and quotes.
func hopAddr(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if at, err := netip.ParseAddrPort(text); err == nil {
		return plainAddr(at.Addr()), true
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	return plainAddr(a), err == nil
}

// forwardedElements are the elements of the header Forwarded, a proxy's each.
func forwardedElements(h http.Header) (all []string) {
	for _, line := range h.Values("Forwarded") {
		all = append(all, strings.Split(line, ",")...) // no address or host has a comma
	}
	return all
}

// forwardedParam is one parameter of an element, without quotes.
func forwardedParam(element, name string) string {
	for pair := range strings.SplitSeq(element, ";") {
		k, v, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if ok && strings.EqualFold(k, name) {
			return strings.Trim(v, `"`)
		}
	}
	return ""
}

// outside is the scheme and the authority by which the client knows the server;
// empty where no trusted proxy says so.
func (p *Proxies) outside(r *http.Request) (scheme, authority string) {
	if !p.trust(peerAddr(r)) {
		return "", ""
	}
	if !p.Forwarded {
		return first(r.Header, "X-Forwarded-Proto"), first(r.Header, "X-Forwarded-Host")
	}
	for _, element := range forwardedElements(r.Header) {
		return forwardedParam(element, "proto"), forwardedParam(element, "host")
	}
	return "", ""
}

// externalURI is the absolute URI of a request, as trusted proxies say it is.
func (p *Proxies) externalURI(r *http.Request) string {
	if r.URL.IsAbs() {
		return r.RequestURI
	}
	scheme, authority := p.outside(r)
	if scheme == "" {
		scheme = "http"
		if r.TLS != nil {
			scheme = "https"
		}
	}
	if authority == "" {
		authority = r.Host
	}
	if authority == "" {
		return r.RequestURI
	}
	return scheme + "://" + authority + r.RequestURI
}

// first is the first element of a header's list.
func first(h http.Header, name string) string {
	v, _, _ := strings.Cut(h.Get(name), ",")
	return strings.TrimSpace(v)
}
