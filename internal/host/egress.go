package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/netguard"
	"github.com/stdbgo/spacetime/internal/store"
)

// HTTPOptions say what requests modules may make. Zero fields mean their defaults.
type HTTPOptions struct {
	Disabled bool // none at all
	// AllowPrivate lets requests reach private and special-purpose addresses, this
	// machine among them: for development only.
	AllowPrivate bool
	// MaxResponse bounds the decoded body of a response, in bytes. Default: 64 MiB.
	MaxResponse int64
}

const (
	defaultMaxResponse = 64 << 20
	// defaultTimeout and maxTimeout bound a request, from the look-up of the name to
	// the last byte of the body (spec 08 §16).
	defaultTimeout = 30 * time.Second
	maxTimeout     = 180 * time.Second
	// maxRedirects is how many redirects are followed.
	maxRedirects = 10
	// maxResponseHeader bounds the header of a response.
	maxResponseHeader = 1 << 20
)

var (
	errTimeout      = errors.New("operation timed out")
	errTooManyHops  = errors.New("too many redirects")
	errBadScheme    = errors.New("the URL scheme is neither http nor https")
	errBadRedirect  = errors.New("the response redirects to an invalid URL")
	errBodyTooLarge = errors.New("the response body is too large")
)

// An egress makes the HTTP requests of modules (spec 08 §16, 03 §11.2). It is shared
// by the databases of a host, and safe for concurrent use.
type egress struct {
	o         HTTPOptions
	clock     Clock
	dialer    netguard.Dialer
	transport *http.Transport
}

func newEgress(o HTTPOptions, clock Clock) *egress {
	if o.MaxResponse == 0 {
		o.MaxResponse = defaultMaxResponse
	}
	e := &egress{o: o, clock: clock, dialer: netguard.Dialer{AllowPrivate: o.AllowPrivate, Timeout: maxTimeout, Several: defaultTimeout}}
	e.transport = &http.Transport{
		// No proxy: it would reach what the filter of addresses keeps away.
		DialContext:            e.dialer.DialContext,
		DisableCompression:     true, // decoded here, so that modules see what they must
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    2,
		MaxIdleConns:           100,
		IdleConnTimeout:        time.Minute,
		TLSHandshakeTimeout:    maxTimeout,
		MaxResponseHeaderBytes: maxResponseHeader,
	}
	return e
}

func (e *egress) close() { e.transport.CloseIdleConnections() }

// do carries out one request of a module. Errors: a *store.Error if the request does
// not decode, an *abi.HTTPError if there is no response, else what ended ctx.
func (e *egress) do(ctx context.Context, request, body []byte) (response, responseBody []byte, err error) {
	r, err := DecodeHTTPRequest(request)
	if err != nil {
		return nil, nil, &store.Error{Code: store.ErrDecode, Msg: "HTTP request", Err: err}
	}
	if e.o.Disabled {
		return nil, nil, &abi.HTTPError{Text: abi.HTTPDisabledText}
	}
	timed, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer e.clock.AfterFunc(timeoutOf(&r), func() { cancel(errTimeout) }).Stop()
	var hops hops
	res, responseBody, err := e.exchange(timed, &r, body, &hops)
	switch {
	case err == nil:
		return res.Append(nil), responseBody, nil
	case ctx.Err() != nil:
		return nil, nil, context.Cause(ctx)
	case timed.Err() != nil:
		err = context.Cause(timed)
	}
	failed := &abi.HTTPError{Text: hops.describe(err)}
	if errors.Is(err, errTimeout) {
		return nil, nil, fmt.Errorf("%w: %w", errTimeout, failed)
	}
	return nil, nil, failed
}

func timeoutOf(r *HTTPRequest) time.Duration {
	if r.Timeout == nil {
		return defaultTimeout
	}
	return min(max(r.Timeout.Duration(), 0), maxTimeout)
}

// exchange sends a request and reads all of the response.
func (e *egress) exchange(ctx context.Context, r *HTTPRequest, body []byte, hops *hops) (*HTTPResponse, []byte, error) {
	req, err := e.request(ctx, r, body)
	if err != nil {
		return nil, nil, err
	}
	if err := e.admit(req.URL); err != nil {
		hops.add(req.URL)
		return nil, nil, err
	}
	hops.add(req.URL)
	client := http.Client{Transport: e.transport, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return errTooManyHops
		}
		hops.add(next.URL)
		return e.admit(next.URL)
	}}
	res, err := client.Do(req)
	if err != nil {
		if res != nil {
			_ = res.Body.Close()
		}
		return nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	content, err := e.body(res)
	if err != nil {
		return nil, nil, err
	}
	return responseOf(res), content, nil
}

// request translates a module's request.
func (e *egress) request(ctx context.Context, r *HTTPRequest, body []byte) (*http.Request, error) {
	if !isToken(r.Method) {
		return nil, errors.New("invalid HTTP method")
	}
	u, err := url.Parse(r.URI)
	if err != nil || u.Opaque != "" || u.Hostname() == "" {
		return nil, errors.New("invalid URI") // the parser's words would repeat it
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, u.String(), nil)
	if err != nil {
		return nil, errors.New("invalid URI")
	}
	if len(body) > 0 {
		setBody(req, body)
	}
	for _, h := range r.Headers {
		if err := h.Check(); err != nil {
			return nil, err
		}
		if strings.EqualFold(h.Name, "host") {
			req.Host = string(h.Value)
		}
		req.Header.Add(h.Name, string(h.Value))
	}
	if !has(req.Header, "Accept") {
		req.Header.Set("Accept", "*/*")
	}
	if !has(req.Header, "Accept-Encoding") && !has(req.Header, "Range") {
		req.Header.Set("Accept-Encoding", "gzip, br")
	}
	if !has(req.Header, "User-Agent") {
		req.Header["User-Agent"] = []string{""} // none, instead of Go's
	}
	return req, nil
}

func setBody(req *http.Request, body []byte) {
	req.ContentLength = int64(len(body))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.Body, _ = req.GetBody()
}

func has(h http.Header, name string) bool { return len(h.Values(name)) > 0 }

// admit checks what can be said about a URL before anything is looked up.
func (e *egress) admit(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return errBadScheme
	}
	return e.dialer.Check(u.Hostname())
}

// body reads the body of a response, decoded.
func (e *egress) body(res *http.Response) ([]byte, error) {
	if res.StatusCode == http.StatusSwitchingProtocols {
		return nil, nil // what follows is no body and has no end
	}
	from := io.Reader(res.Body)
	switch strings.ToLower(res.Header.Get("Content-Encoding")) {
	case "gzip":
		from = &lazyGzip{r: res.Body}
	case "br":
		from = &lazyBrotli{r: res.Body}
	default:
		return e.readAll(from)
	}
	res.Header.Del("Content-Encoding")
	res.Header.Del("Content-Length")
	return e.readAll(from)
}

func (e *egress) readAll(from io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(from, e.o.MaxResponse+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(b)) > e.o.MaxResponse:
		return nil, fmt.Errorf("%w: more than %d bytes", errBodyTooLarge, e.o.MaxResponse)
	}
	return b, nil
}

// A lazyGzip reads nothing from an empty body, which is no gzip stream.
type lazyGzip struct {
	r io.Reader
	z *gzip.Reader
}

func (l *lazyGzip) Read(b []byte) (int, error) {
	if l.z == nil {
		z, err := gzip.NewReader(l.r)
		if err != nil {
			return 0, err // io.EOF if there is nothing at all
		}
		l.z = z
	}
	return l.z.Read(b)
}

// A lazyBrotli does the same for brotli.
type lazyBrotli struct {
	r io.Reader
	z *brotli.Reader
}

func (l *lazyBrotli) Read(b []byte) (int, error) {
	if l.z == nil {
		var first [1]byte
		if _, err := io.ReadFull(l.r, first[:]); err != nil {
			return 0, err
		}
		l.z = brotli.NewReader(io.MultiReader(bytes.NewReader(first[:]), l.r))
	}
	return l.z.Read(b)
}

// responseOf translates a response for a module: names in lower case and in order.
func responseOf(res *http.Response) *HTTPResponse {
	out := &HTTPResponse{Code: uint16(res.StatusCode), Version: HTTP11}
	switch {
	case res.ProtoMajor == 2:
		out.Version = HTTP2
	case res.ProtoMajor == 1 && res.ProtoMinor == 0:
		out.Version = HTTP10
	}
	for _, name := range slices.Sorted(maps.Keys(res.Header)) {
		for _, v := range res.Header[name] {
			out.Headers = append(out.Headers, HTTPHeader{strings.ToLower(name), []byte(v)})
		}
	}
	return out
}
