package auth

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"github.com/stdbgo/spacetime/sats"
)

const (
	// hostIssuer is the `iss` of tokens by which a host calls one of its databases in
	// the name of another (spec 08 §38.4).
	hostIssuer = "spacetimedb-idc-v1"
	// hostTokenLife is how long such a token lives.
	hostTokenLife = 60 * time.Second
)

// HostToken signs a token by which the database sender may call the database
// receiver. It is not valid for clients.
func (a *Authority) HostToken(sender, receiver sats.Identity) (string, error) {
	now := a.now().Unix()
	return a.signPayload([]byte(`{"iss":"` + hostIssuer + `","aud":"` + receiver.String() + `","sender":"` + sender.String() +
		`","iat":` + strconv.FormatInt(now, 10) + `,"exp":` + strconv.FormatInt(now+int64(hostTokenLife/time.Second), 10) + `}`))
}

// signPayload makes a token of a payload.
func (a *Authority) signPayload(payload []byte) (string, error) {
	input := header + "." + base64.RawURLEncoding.EncodeToString(payload)
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(a.rand, a.keys.private, digest[:])
	if err != nil {
		return "", fmt.Errorf("auth: sign a token: %w", err)
	}
	var sig [64]byte
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return input + "." + base64.RawURLEncoding.EncodeToString(sig[:]), nil
}

// ValidateHost checks a host token for a call of the database receiver and returns
// the database that calls. Only the local key counts, nothing is granted after `exp`,
// and no token for clients is accepted. Errors: *Error.
func (a *Authority) ValidateHost(text string, receiver sats.Identity) (sender sats.Identity, err error) {
	t, err := parseToken(text)
	if err != nil {
		return sender, err
	}
	if err := t.verify(&a.keys.private.PublicKey); err != nil {
		return sender, err
	}
	c, err := t.hostClaims()
	if err != nil {
		return sender, err
	}
	now := a.now()
	switch {
	case c.issuer != hostIssuer:
		return sender, refuse("Invalid token: InvalidIssuer")
	case c.audience != receiver.String():
		return sender, refuse("Invalid token: InvalidAudience")
	case now.Before(time.Unix(c.issued, 0)):
		return sender, refuse("Invalid token: it was issued in the future")
	case !now.Before(time.Unix(c.expires, 0)):
		return sender, errExpired
	case c.issued < c.expires-int64(hostTokenLife/time.Second):
		return sender, refuse("Invalid token: it lives for more than %s", hostTokenLife)
	}
	return c.sender, nil
}

// hostClaims are those of a host token, all of which must be there.
type hostClaims struct {
	issuer, audience string
	sender           sats.Identity
	issued, expires  int64
}

func (t *token) hostClaims() (c hostClaims, err error) {
	members, err := object(t.payload)
	if err != nil {
		return c, err
	}
	found := map[string]bool{}
	for _, m := range members {
		switch m.Name {
		case "iss":
			c.issuer, err = text(m)
		case "aud":
			c.audience, err = text(m)
		case "sender":
			var id string
			if id, err = text(m); err == nil {
				if c.sender, err = sats.ParseIdentity(id); err != nil {
					err = wrongType(m, "64 hex digits")
				}
			}
		case "iat":
			c.issued, err = integer(m)
		case "exp":
			c.expires, err = integer(m)
		}
		if err != nil {
			return c, err
		}
		found[m.Name] = true
	}
	for _, name := range []string{"iss", "aud", "sender", "iat", "exp"} {
		if !found[name] {
			return c, refuse("Invalid token: JSON error: missing field `%s`", name)
		}
	}
	return c, nil
}
