package auth

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/stdbgo/spacetime/internal/netguard"
)

// Bounds of what an unauthenticated caller can make us do.
const (
	fetchTimeout   = 10 * time.Second // discovery and key set together
	fetchMaxBody   = 1 << 20          // bytes of each
	fetchParallel  = 16               // fetches at a time; more are refused
	cacheMax       = 1024             // issuers remembered
	refreshAfter   = 300 * time.Second
	forgetAfter    = 7200 * time.Second // without use
	failureKept    = 5 * time.Second    // a failed first fetch is answered from memory so long
	rotationWindow = 10 * time.Second   // an unknown key id refetches at most so often
)

// A keySet is what an issuer published; immutable.
type keySet struct {
	keys []foreignKey // in document order
	at   time.Time    // when it was fetched
}

type foreignKey struct {
	id  string // empty: none
	key crypto.PublicKey
}

// candidates are the keys to try, in order (spec 06 §3.5, "changes").
func (s *keySet) candidates(t *token) []crypto.PublicKey {
	var named, nameless, all []crypto.PublicKey
	for _, k := range s.keys {
		all = append(all, k.key)
		switch k.id {
		case "":
			nameless = append(nameless, k.key)
		case t.kid:
			named = append(named, k.key)
		}
	}
	switch {
	case !t.hasKid:
		return all
	case len(named) > 0:
		return named
	}
	return nameless
}

// issuers caches key sets by raw issuer text. Concurrent first fetches of one
// issuer are merged; a set older than refreshAfter is refreshed in the
// background while the old one is used, and kept if that fails.
type issuers struct {
	now     func() time.Time
	log     *slog.Logger
	public  *http.Client // for issuers that anybody can name
	free    *http.Client // for those that the operator has named
	allowed []string     // nil: any
	trusted []string
	anyhow  bool // all are trusted

	ctx    context.Context // of every fetch; ends with close
	cancel context.CancelFunc
	wg     sync.WaitGroup
	slots  chan struct{} // one per running fetch

	mu struct {
		sync.Mutex
		closed  bool
		told    time.Time // when a failure was last logged
		entries map[string]*entry
	}
}

type entry struct {
	set      *keySet       // nil: never fetched
	failed   time.Time     // end of the last failed fetch
	private  bool          // it failed because the address is private
	tried    time.Time     // start of the last fetch
	used     time.Time     // last use
	fetching chan struct{} // closed when the running fetch ends; nil: none runs
}

func newIssuers(now func() time.Time, o *Options) *issuers {
	is := &issuers{now: now, log: o.Logger, anyhow: o.AllowPrivate, slots: make(chan struct{}, fetchParallel)}
	if is.log == nil {
		is.log = slog.New(slog.DiscardHandler)
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableKeepAlives = true // an issuer is asked twice in five minutes
	is.free = &http.Client{Transport: t}
	guarded := t.Clone()
	guarded.Proxy = nil // it would reach what is kept away
	guarded.DialContext = (&netguard.Dialer{Timeout: fetchTimeout, Several: fetchTimeout}).DialContext
	is.public = &http.Client{Transport: guarded}
	if o.AllowedIssuers != nil {
		is.allowed = []string{}
	}
	for _, iss := range o.AllowedIssuers {
		is.allowed = append(is.allowed, trimIssuer(iss))
	}
	is.trusted = slices.Clone(is.allowed)
	for _, iss := range o.TrustedIssuers {
		is.trusted = append(is.trusted, trimIssuer(iss))
	}
	is.ctx, is.cancel = context.WithCancel(context.Background())
	is.mu.entries = map[string]*entry{}
	return is
}

func (is *issuers) close() {
	is.mu.Lock()
	is.mu.closed = true
	is.mu.Unlock()
	is.cancel()
	is.wg.Wait()
}

func unobtainable(issuer string) error {
	return refuse("Error fetching public key for issuer %s", issuer)
}

// advice says what to do about an issuer with a private address.
const advice = "name it in [auth] issuers of config.toml, or set [auth] allow-private-addresses = true"

// whyPrivate is unobtainable for an issuer with a private address. It says so only if
// that can be seen: what a name leads to inside a network is not for strangers.
func whyPrivate(issuer string) error {
	u, err := url.Parse(issuer)
	if err != nil {
		return unobtainable(issuer)
	}
	host := strings.ToLower(u.Hostname())
	if a, err := netip.ParseAddr(host); err != nil && host != "localhost" && !strings.HasSuffix(host, ".localhost") || err == nil && !netguard.Blocked(a) {
		return unobtainable(issuer)
	}
	return refuse("Error fetching public key for issuer %s: its address is private; if the server is to trust it, %s", issuer, advice)
}

// keys returns the issuer's key set, fetching it when it is not known.
func (is *issuers) keys(ctx context.Context, issuer string) (*keySet, error) {
	if is.allowed != nil && !slices.Contains(is.allowed, trimIssuer(issuer)) {
		return nil, unobtainable(issuer)
	}
	now := is.now()
	is.mu.Lock()
	e := is.entry(issuer, now)
	e.used = now
	set := e.set
	switch {
	case set != nil && now.Sub(e.tried) > refreshAfter:
		is.start(issuer, e, now)
	case set == nil && now.Sub(e.failed) > failureKept:
		is.start(issuer, e, now)
	}
	wait := e.fetching
	is.mu.Unlock()
	if set != nil {
		return set, nil
	}
	return is.await(ctx, issuer, e, wait)
}

// again fetches once more because old lacks a key, unless that happened lately.
func (is *issuers) again(ctx context.Context, issuer string, old *keySet) (*keySet, error) {
	now := is.now()
	is.mu.Lock()
	e := is.entry(issuer, now)
	e.used = now
	if now.Sub(e.tried) > rotationWindow {
		is.start(issuer, e, now)
	}
	wait := e.fetching
	is.mu.Unlock()
	if wait == nil {
		return old, nil
	}
	return is.await(ctx, issuer, e, wait)
}

func (is *issuers) await(ctx context.Context, issuer string, e *entry, wait chan struct{}) (*keySet, error) {
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	is.mu.Lock()
	defer is.mu.Unlock()
	switch {
	case e.set != nil:
		return e.set, nil
	case e.private:
		return nil, whyPrivate(issuer)
	}
	return nil, unobtainable(issuer)
}

// entry finds or makes the entry of an issuer; the lock is held. A full cache
// forgets what is stale, and else the entry used longest ago.
func (is *issuers) entry(issuer string, now time.Time) *entry {
	if e := is.mu.entries[issuer]; e != nil {
		if now.Sub(e.used) <= forgetAfter || e.fetching != nil {
			return e
		}
		delete(is.mu.entries, issuer)
	}
	if len(is.mu.entries) >= cacheMax {
		is.evict(now)
	}
	e := &entry{used: now}
	is.mu.entries[issuer] = e
	return e
}

func (is *issuers) evict(now time.Time) {
	oldest := ""
	for name, e := range is.mu.entries {
		if now.Sub(e.used) > forgetAfter {
			delete(is.mu.entries, name)
			continue
		}
		if oldest == "" || e.used.Before(is.mu.entries[oldest].used) {
			oldest = name
		}
	}
	if len(is.mu.entries) >= cacheMax {
		delete(is.mu.entries, oldest)
	}
}

// start begins a fetch for e unless one runs; the lock is held. Without a free
// slot nothing starts, and a first fetch counts as failed.
func (is *issuers) start(issuer string, e *entry, now time.Time) {
	if e.fetching != nil || is.mu.closed {
		return
	}
	select {
	case is.slots <- struct{}{}:
	default:
		return
	}
	e.tried = now
	done := make(chan struct{})
	e.fetching = done
	is.wg.Add(1)
	go func() {
		defer is.wg.Done()
		set, err := is.fetch(issuer)
		<-is.slots
		is.mu.Lock()
		defer is.mu.Unlock()
		e.fetching = nil
		e.private = errors.Is(err, netguard.ErrBlocked)
		if err != nil {
			e.failed = is.now()
			is.tell(issuer, e.private, err)
		} else {
			e.set = set
		}
		close(done)
	}()
}

// tellEvery is how often a failure is logged: anybody can bring them about.
const tellEvery = 10 * time.Second

// tell logs why keys could not be fetched, now and then; the lock is held.
func (is *issuers) tell(issuer string, private bool, err error) {
	if now := is.now(); now.Sub(is.mu.told) >= tellEvery {
		is.mu.told = now
		attrs := []any{"issuer", issuer, "error", err}
		if private {
			attrs = append(attrs, "hint", "if this server is to trust it, "+advice)
		}
		is.log.Warn("the keys of an issuer cannot be fetched", attrs...)
	}
}

// client is what fetches the keys of an issuer.
func (is *issuers) client(issuer string) *http.Client {
	if is.anyhow || slices.Contains(is.trusted, trimIssuer(issuer)) {
		return is.free
	}
	return is.public
}

// fetch reads the discovery document and the key set it names.
func (is *issuers) fetch(issuer string) (*keySet, error) {
	ctx, cancel := context.WithTimeout(is.ctx, fetchTimeout)
	defer cancel()
	var discovery struct {
		URI string `json:"jwks_uri"`
	}
	client := is.client(issuer)
	if err := get(ctx, client, trimIssuer(issuer)+"/.well-known/openid-configuration", &discovery); err != nil {
		return nil, err
	}
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := get(ctx, client, discovery.URI, &doc); err != nil {
		return nil, err
	}
	if doc.Keys == nil {
		return nil, errors.New("auth: key set without `keys`")
	}
	set := &keySet{at: is.now()}
	for _, raw := range doc.Keys {
		// A type that is not known refuses the whole set, as upstream does: a
		// set we read only in part would hide a misconfiguration.
		var k jose.JSONWebKey
		if err := k.UnmarshalJSON(raw); err != nil {
			return nil, fmt.Errorf("auth: key set: %w", err)
		}
		if _, symmetric := k.Key.([]byte); symmetric {
			continue // a published secret proves nothing
		}
		if k.Use == "enc" {
			continue // not for signatures
		}
		set.keys = append(set.keys, foreignKey{id: k.KeyID, key: k.Public().Key})
	}
	return set, nil
}

// get reads a JSON document of bounded size over http or https.
func get(ctx context.Context, client *http.Client, address string, into any) error {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("auth: not an http address: %s", address)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("auth: %w", err)
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("auth: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("auth: %s answers %s", address, res.Status)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, fetchMaxBody+1))
	switch {
	case err != nil:
		return fmt.Errorf("auth: %s: %w", address, err)
	case len(body) > fetchMaxBody:
		return fmt.Errorf("auth: %s: more than %d bytes", address, fetchMaxBody)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("auth: %s: %w", address, err)
	}
	return nil
}
