package auth

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

func TestHostToken(t *testing.T) {
	spec.Covers(t, "06.65")
	now := start.Add(300 * time.Millisecond)
	a := New(Options{Keys: newKeys(t), Now: func() time.Time { return now }})
	t.Cleanup(a.Close)
	sender, receiver := sats.Identity{1}, sats.Identity{2}
	token, err := a.HostToken(sender, receiver)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := a.ValidateHost(token, receiver); err != nil || got != sender {
		t.Errorf("our own token: %s, %v", got, err)
	}
	if _, err := a.Validate(t.Context(), token); err == nil {
		t.Error("a host token is a token for clients")
	}
	if _, err := a.ValidateHost(token, sender); err == nil {
		t.Error("a token for another database is accepted")
	}
	_, client, err := a.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.ValidateHost(client, receiver); err == nil {
		t.Error("a token for clients is accepted")
	}
	now = start.Add(hostTokenLife)
	if _, err := a.ValidateHost(token, receiver); err == nil {
		t.Error("an expired token is accepted: no leeway")
	}
	now = start.Add(-time.Millisecond)
	if _, err := a.ValidateHost(token, receiver); err == nil {
		t.Error("a token from the future is accepted")
	}
}

func TestHostTokenClaims(t *testing.T) {
	a := newAuthority(t)
	id := sats.Identity{2}.String()
	claims := func(iss, aud, sender string, iat, exp int64) string {
		return fmt.Sprintf(`{"iss":%s,"aud":%s,"sender":%s,"iat":%d,"exp":%d}`, iss, aud, sender, iat, exp)
	}
	at := start.Unix()
	good := claims(`"`+hostIssuer+`"`, `"`+id+`"`, `"`+id+`"`, at, at+60)
	for _, tt := range []struct {
		name, payload string
		ok            bool
	}{
		{"good", good, true},
		{"more claims", strings.TrimSuffix(good, "}") + `,"x":1}`, true},
		{"another issuer", claims(`"localhost"`, `"`+id+`"`, `"`+id+`"`, at, at+60), false},
		{"a list of audiences", claims(`"`+hostIssuer+`"`, `["`+id+`"]`, `"`+id+`"`, at, at+60), false},
		{"no identity", claims(`"`+hostIssuer+`"`, `"`+id+`"`, `"12"`, at, at+60), false},
		{"a long life", claims(`"`+hostIssuer+`"`, `"`+id+`"`, `"`+id+`"`, at, at+61), false},
		{"a life without beginning", claims(`"`+hostIssuer+`"`, `"`+id+`"`, `"`+id+`"`, -1<<63, 1<<63-1), false},
		{"no sender", strings.Replace(good, `"sender"`, `"sent"`, 1), false},
		{"no exp", strings.Replace(good, `"exp"`, `"ex"`, 1), false},
		{"no iat", strings.Replace(good, `"iat"`, `"at"`, 1), false},
		{"no aud", strings.Replace(good, `"aud"`, `"au"`, 1), false},
		{"no iss", strings.Replace(good, `"iss"`, `"is"`, 1), false},
	} {
		token := made(t, a.keys.private, `{"typ":"JWT","alg":"ES256"}`, tt.payload)
		if _, err := a.ValidateHost(token, sats.Identity{2}); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	foreign := made(t, otherKey(t), `{"typ":"JWT","alg":"ES256"}`, good)
	if _, err := a.ValidateHost(foreign, sats.Identity{2}); err == nil {
		t.Error("a token of another key is accepted")
	}
}
