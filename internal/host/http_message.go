package host

import (
	"errors"
	"fmt"
	"strings"

	"github.com/stdbgo/spacetime/sats"
)

// An HTTPVersion is the version of HTTP in a message to or from a module.
type HTTPVersion uint8

const (
	HTTP09 HTTPVersion = iota
	HTTP10
	HTTP11
	HTTP2
	HTTP3

	httpVersions = 5
)

// An HTTPHeader is one line of a header. Modules get names in lower case.
type HTTPHeader struct {
	Name  string
	Value []byte
}

// An HTTPRequest is a request as modules see it (spec 03 §11.1), without its body.
type HTTPRequest struct {
	Method  string // as on the wire
	Headers []HTTPHeader
	Timeout *sats.TimeDuration
	URI     string
	Version HTTPVersion
}

// An HTTPResponse is a response as modules see it, without its body.
type HTTPResponse struct {
	Headers []HTTPHeader
	Version HTTPVersion
	Code    uint16
}

// httpMethods are the methods that have a tag of their own; any other follows as a
// string behind the tag after the last.
var httpMethods = [...]string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

// Append appends the BSATN of a request.
func (r *HTTPRequest) Append(b []byte) []byte {
	tag := len(httpMethods)
	for i, m := range httpMethods {
		if m == r.Method {
			tag = i
		}
	}
	b = sats.AppendTag(b, uint8(tag))
	if tag == len(httpMethods) {
		b = sats.AppendString(b, r.Method)
	}
	b = appendHeaders(b, r.Headers)
	if r.Timeout != nil {
		b = sats.AppendI64(sats.AppendSome(b), r.Timeout.Micros())
	} else {
		b = sats.AppendNone(b)
	}
	return sats.AppendTag(sats.AppendString(b, r.URI), uint8(r.Version))
}

// DecodeHTTPRequest reads the BSATN of a request; bytes behind it are ignored.
func DecodeHTTPRequest(b []byte) (req HTTPRequest, err error) {
	r := sats.NewReader(b)
	if tag := int(r.TagOf(len(httpMethods)+1, "HttpMethod")); tag < len(httpMethods) {
		req.Method = httpMethods[tag]
	} else {
		req.Method = r.Str()
	}
	req.Headers = readHeaders(r)
	if r.Option() {
		d := r.TimeDuration()
		req.Timeout = &d
	}
	req.URI = r.Str()
	req.Version = HTTPVersion(r.TagOf(httpVersions, "HttpVersion"))
	return req, r.Err()
}

// Append appends the BSATN of a response.
func (r *HTTPResponse) Append(b []byte) []byte {
	b = appendHeaders(b, r.Headers)
	return sats.AppendU16(sats.AppendTag(b, uint8(r.Version)), r.Code)
}

// DecodeHTTPResponse reads the BSATN of a response; bytes behind it are ignored.
func DecodeHTTPResponse(b []byte) (res HTTPResponse, err error) {
	r := sats.NewReader(b)
	res.Headers = readHeaders(r)
	res.Version = HTTPVersion(r.TagOf(httpVersions, "HttpVersion"))
	res.Code = r.U16()
	return res, r.Err()
}

func appendHeaders(b []byte, headers []HTTPHeader) []byte {
	b = sats.AppendLen(b, len(headers))
	for _, h := range headers {
		b = sats.AppendBytes(sats.AppendString(b, h.Name), h.Value)
	}
	return b
}

// leastHeader is the size of a header with empty name and value.
const leastHeader = 8

func readHeaders(r *sats.Reader) []HTTPHeader {
	n := r.Count(leastHeader)
	headers := make([]HTTPHeader, 0, n)
	for range n {
		headers = append(headers, HTTPHeader{r.Str(), r.Bytes()})
	}
	return headers
}

// Check reports the first name or value that cannot stand in a header. The error
// holds no value: those may be secret.
func (h HTTPHeader) Check() error {
	if !isToken(h.Name) {
		return errors.New("invalid HTTP header name")
	}
	for _, c := range h.Value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return fmt.Errorf("invalid value of the HTTP header %s", strings.ToLower(h.Name))
		}
	}
	return nil
}

// isToken reports whether s is a token of RFC 9110 §5.6.2: a method or a header's
// name.
func isToken(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}
