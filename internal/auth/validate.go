package auth

import (
	"context"
	"crypto"
)

// Validate decides whether a token is good, and whose it is (spec 06 §3.5). An
// *[Error] refuses the token; any other error is of ctx. A token of a foreign
// issuer may cost a fetch of that issuer's keys.
func (a *Authority) Validate(ctx context.Context, text string) (*Claims, error) {
	t, err := parseToken(text)
	if err != nil {
		return nil, err
	}
	c, errLocal := a.accept(t, &a.keys.private.PublicKey)
	if errLocal == nil {
		return c, nil
	}
	// Whose is it, if not ours? The signature is not checked yet.
	c, _, err = t.claims()
	if err != nil {
		return nil, err
	}
	if c.Issuer == LocalIssuer {
		return nil, errLocal
	}
	// Upstream looks this up before it checks the expiry; a token that cannot be
	// accepted any more should not cost a fetch.
	if a.expired(c) {
		return nil, errExpired
	}
	return a.validateForeign(ctx, t, c.Issuer)
}

// accept checks signature, expiry and identity of a token under one key.
func (a *Authority) accept(t *token, key crypto.PublicKey) (*Claims, error) {
	if err := t.verify(key); err != nil {
		return nil, err
	}
	c, claimed, err := t.claims()
	if err != nil {
		return nil, err
	}
	if a.expired(c) {
		return nil, errExpired
	}
	if err := c.check(claimed); err != nil {
		return nil, err
	}
	return c, nil
}

func (a *Authority) expired(c *Claims) bool {
	return c.Expires != nil && *c.Expires < a.now().Add(-leeway).Unix()
}

// validateForeign validates under the keys that the issuer publishes.
func (a *Authority) validateForeign(ctx context.Context, t *token, issuer string) (*Claims, error) {
	set, err := a.foreign.keys(ctx, issuer)
	if err != nil {
		return nil, err
	}
	candidates := set.candidates(t)
	if len(candidates) == 0 && t.hasKid {
		// The issuer may have rotated its keys since.
		if set, err = a.foreign.again(ctx, issuer, set); err != nil {
			return nil, err
		}
		candidates = set.candidates(t)
	}
	err = refuse("Specified key ID not found in JWKs")
	for _, key := range candidates {
		c, errKey := a.accept(t, key)
		if errKey == nil {
			return c, nil // its issuer is the one looked up: both were read from the same payload
		}
		err = errKey
	}
	return nil, err
}
