package host

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// hops are the URLs that a request went to, one after another.
type hops []*url.URL

func (h *hops) add(u *url.URL) { *h = append(*h, u) }

// describe is what a module reads about a request that failed: the place, without
// query and user, and the chain of causes. Queries and the values of headers are
// often secret, so nothing else of what the request and the responses held is in it.
func (h hops) describe(err error) string {
	var wrapped *url.Error
	for errors.As(err, &wrapped) {
		err = wrapped.Err // its text begins with the whole URL
		wrapped = nil
	}
	text := err.Error()
	if strings.Contains(text, "Location header") {
		text = errBadRedirect.Error()
	}
	for _, u := range h {
		if u.RawQuery != "" {
			text = strings.ReplaceAll(text, "?"+u.RawQuery, "")
		}
		if u.User != nil {
			text = strings.ReplaceAll(text, u.User.String()+"@", "")
		}
	}
	if len(h) == 0 {
		return text
	}
	last := h[len(h)-1]
	place := url.URL{Scheme: last.Scheme, Host: last.Host, Path: last.Path, RawPath: last.RawPath}
	return fmt.Sprintf("error sending request for url (%s): %s", &place, text)
}
