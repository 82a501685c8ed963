package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
)

// portsAhead is how many ports are looked at to find a free one.
const portsAhead = 100

// listen binds the address. A port that is taken, for either family of addresses,
// is an error without a person to ask; with one, the next free port is offered.
func listen(address string, ask bool, in io.Reader, out io.Writer) (net.Listener, error) {
	host, port, err := splitListen(address)
	if err != nil {
		return nil, err
	}
	if port != 0 && taken(host, int(port)) {
		if !ask {
			return nil, fmt.Errorf("Port %d is already in use. Please free up the port or specify a different port with --listen-addr.", port)
		}
		if port, err = offer(host, port, in, out); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.FormatUint(port, 10)))
	if err != nil {
		return nil, fmt.Errorf("failed to bind the SpacetimeDB server to '%s', please check that the address is valid and not already in use: %w", address, err)
	}
	return l, nil
}

// splitListen takes a listen address apart.
func splitListen(address string) (host string, port uint64, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		var at *net.AddrError
		if errors.As(err, &at) {
			err = errors.New(at.Err) // without the address once more
		}
		return "", 0, fmt.Errorf("listen address %q: %w; expected host:port, an IPv6 address in brackets", address, err)
	}
	if port, err = strconv.ParseUint(text, 10, 16); err != nil {
		return "", 0, fmt.Errorf("listen address %q: %q is not a port (0 to 65535)", address, text)
	}
	return host, port, nil
}

// taken reports whether somebody listens on the port, on the host itself or on
// its counterpart in the other family: a client that says "localhost" may reach
// either.
func taken(host string, port int) bool {
	hosts := []string{host}
	switch host {
	case "127.0.0.1":
		hosts = append(hosts, "::1")
	case "::1":
		hosts = append(hosts, "127.0.0.1")
	case "localhost":
		hosts = []string{"127.0.0.1", "::1"}
	case "0.0.0.0":
		hosts = append(hosts, "::")
	case "::", "":
		hosts = append(hosts, "0.0.0.0")
	}
	for _, h := range hosts {
		l, err := net.Listen("tcp", net.JoinHostPort(h, strconv.Itoa(port)))
		if err == nil {
			_ = l.Close()
			continue
		}
		if errors.Is(err, syscall.EADDRINUSE) {
			return true
		}
	}
	return false
}

// offer looks for a free port and asks whether it may be used.
func offer(host string, port uint64, in io.Reader, out io.Writer) (uint64, error) {
	const advice = "Please free up the port or specify a different port with --listen-addr."
	for next := port + 1; next <= min(port+portsAhead, 65535); next++ {
		if taken(host, int(next)) {
			continue
		}
		_, _ = fmt.Fprintf(out, "Port %d is already in use. Would you like to use port %d instead? [y/N] ", port, next)
		answer, _ := bufio.NewReader(in).ReadString('\n')
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes":
			return next, nil
		}
		return 0, fmt.Errorf("Port %d is already in use. %s", port, advice)
	}
	return 0, fmt.Errorf("Port %d is already in use and could not find an available port nearby. %s", port, advice)
}
