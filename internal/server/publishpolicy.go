package server

import (
	"fmt"
	"net/http"

	"github.com/stdbgo/spacetime/sats"
)

// A PublishPolicy says who may create databases. Who owns one may update it in any
// case. The zero value lets everybody.
type PublishPolicy struct {
	// Owners lets those who own a database of this server already, and on a server
	// without databases the first one to come.
	Owners bool
	// Listed lets Identities and those whose tokens are of Issuers.
	Listed     bool
	Identities []sats.Identity
	Issuers    []string
}

// publishPolicy is the section [publish].
func (c *Config) publishPolicy() (p PublishPolicy, err error) {
	p.Owners, p.Listed = c.Publish.Allow == "owner", c.Publish.Allow == "list"
	for _, text := range c.Publish.Identities {
		id, err := sats.IdentityFromHexPrefixed(text)
		if err != nil {
			return p, fmt.Errorf("[publish] identities: %q is no identity: it must have 64 hexadecimal digits, as `spacetime login show` prints them", text)
		}
		p.Identities = append(p.Identities, id)
	}
	for _, iss := range c.Publish.Issuers {
		p.Issuers = append(p.Issuers, trimSlashes(iss))
	}
	if !p.Listed && len(p.Identities)+len(p.Issuers) > 0 {
		return p, fmt.Errorf("[publish] identities and issuers have no effect with allow = %q; set allow = \"list\"", or(c.Publish.Allow, "open"))
	}
	return p, nil
}

func or(text, absent string) string {
	if text == "" {
		return absent
	}
	return text
}

// mayCreate refuses the creation of a database to those who may not. Where the
// answer depends on what databases there are it stays true until release.
func (s *Server) mayCreate(q *request, name string) (release func(), err error) {
	release = func() {}
	if s.publishIssuer != "" && trimSlashes(q.caller.claims.Issuer) != s.publishIssuer {
		return release, failure(http.StatusUnauthorized, "To create a database, you must be logged in with a SpacetimeDB account.")
	}
	p := &s.policy
	switch {
	case p.Listed:
		for _, id := range p.Identities {
			if id == q.caller.identity {
				return release, nil
			}
		}
		for _, iss := range p.Issuers {
			if iss == trimSlashes(q.caller.claims.Issuer) {
				return release, nil
			}
		}
		return release, q.mayNotCreate(name, "This server lets only listed identities create databases. Ask its operator to add yours to [publish] identities in config.toml; `spacetime login show` prints it.")
	case p.Owners:
		release = s.publishes.lock("owner")
		all, err := s.control.Databases()
		if err != nil {
			return release, controlError(err)
		}
		for _, rec := range all {
			if rec.Owner == q.caller.identity {
				return release, nil
			}
		}
		if len(all) > 0 {
			return release, q.mayNotCreate(name, "This server lets only those who own a database on it create others. Log in as its owner, or ask its operator to change [publish] allow in config.toml.")
		}
	}
	return release, nil
}

func (q *request) mayNotCreate(name, advice string) error {
	return failure(http.StatusForbidden, "%s is not authorized to perform action on database %s: create database\n%s", q.caller.identity, name, advice)
}
