package server

import (
	"errors"
	"net/http"
	"strings"

	"github.com/stdbgo/spacetime/internal/auth"
	"github.com/stdbgo/spacetime/internal/control"
	"github.com/stdbgo/spacetime/sats"
)

// A caller is who sent a request, and the token that says so.
type caller struct {
	identity sats.Identity
	token    string
	claims   *auth.Claims // nil if no token was presented and none was made
}

// authenticate finds out who the caller is, as far as the class wants to know.
// Behind classAnonymous every answer carries the identity and the token.
func (q *request) authenticate(c class) error {
	if c == classNone {
		return nil
	}
	token, found, err := q.token()
	if err != nil {
		return err
	}
	if !found {
		switch c {
		case classRequired:
			return failure(http.StatusUnauthorized, "Authorization required")
		case classAnonymous:
			if token, err = q.newAnonymous(); err != nil {
				return internal(err)
			}
		default:
			return nil
		}
	}
	claims, err := q.s.auth.Validate(q.r.Context(), token)
	if err != nil {
		var refused *auth.Error
		if errors.As(err, &refused) {
			return failure(http.StatusUnauthorized, "%s", refused.Text)
		}
		return internal(err)
	}
	if found {
		if err := q.s.admission.identity(q.counted, claims.Identity, q.s.now()); err != nil {
			return err
		}
	}
	q.caller = caller{identity: claims.Identity, token: token, claims: claims}
	if c == classAnonymous {
		q.w.Header().Set("Spacetime-Identity", claims.Identity.String())
		q.w.Header().Set("Spacetime-Identity-Token", token)
	}
	return nil
}

func (q *request) newAnonymous() (string, error) {
	_, token, err := q.s.auth.NewIdentity()
	return token, err
}

// token finds the token of a request: the Authorization header, first line only,
// else the query parameter (spec 06 §3.2).
func (q *request) token() (token string, found bool, err error) {
	if lines := q.r.Header.Values("Authorization"); len(lines) > 0 {
		scheme, rest, ok := strings.Cut(lines[0], " ")
		rest = strings.TrimSpace(rest)
		if !ok || !strings.EqualFold(scheme, "Bearer") || rest == "" {
			return "", false, badRequest("Authorization is invalid: malformed token")
		}
		return rest, true, nil
	}
	token, found = q.query.lone("token")
	return token, found, nil
}

// isOwner reports whether the caller owns the database of the request.
func (q *request) isOwner() bool { return q.caller.identity == q.rec.Owner }

// mustOwn refuses an action to everybody but the owner of a database (spec 06 §3.9).
func (q *request) mustOwn(rec control.Database, action string) error {
	if q.caller.identity == rec.Owner {
		return nil
	}
	return failure(http.StatusForbidden, "%s is not authorized to perform action on database %s: %s",
		q.caller.identity, rec.Identity, action)
}

// who is the caller as databases see it, on a connection of its own.
func (q *request) who(conn sats.ConnectionID, owner sats.Identity) Caller {
	return q.caller.at(conn, owner)
}

// at is the caller as a database of that owner sees it.
func (c *caller) at(conn sats.ConnectionID, owner sats.Identity) Caller {
	return Caller{Identity: c.identity, Conn: conn, JWT: c.claims.Payload, IsOwner: c.identity == owner}
}

func trimSlashes(issuer string) string { return strings.TrimRight(issuer, "/") }
