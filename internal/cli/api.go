package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/stdbgo/spacetime/sats"
)

// An api speaks HTTP with one server.
type api struct {
	base  string
	token string
	entry *serverEntry

	origin string // the project file that the database's name comes from, or ""
}

// maxAnswer bounds what is read of one answer that is kept in memory.
const maxAnswer = 1 << 30

// httpClient never sends loopback requests through a proxy.
var httpClient = &http.Client{Transport: func() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = func(req *http.Request) (*url.URL, error) {
		if h := req.URL.Hostname(); h == "localhost" || net.ParseIP(h).IsLoopback() {
			return nil, nil
		}
		return http.ProxyFromEnvironment(req)
	}
	return t
}()}

// An answer is an HTTP answer, read to its end.
type answer struct {
	status int
	phrase string // code and reason
	url    string
	header http.Header
	body   []byte
}

// request describes one HTTP request; path is below the server's address.
type request struct {
	method, path string
	body         []byte
	json         bool
	agent        bool // send the product's User-Agent
	header       http.Header
	stay         bool      // follow no redirects: what is sent is for this server alone
	sent         *progress // counts the body; nil: nobody does
}

func (a *api) newRequest(ctx context.Context, q request) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, q.method, a.base+q.path, bytes.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	if q.sent != nil && len(q.body) > 0 {
		req.GetBody = func() (io.ReadCloser, error) { // again when a kept connection turns out to be dead
			q.sent.restart()
			return io.NopCloser(q.sent.reader(bytes.NewReader(q.body))), nil
		}
		req.Body, _ = req.GetBody()
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	if q.json {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, lines := range q.header {
		req.Header[name] = lines
	}
	if q.agent {
		req.Header.Set("User-Agent", "spacetimedb-cli/"+CompatVersion)
	}
	return req, nil
}

// open sends a request and returns the answer with its body still to read.
func (a *api) open(ctx context.Context, q request) (*http.Response, error) {
	req, err := a.newRequest(ctx, q)
	if err != nil {
		return nil, err
	}
	client := httpClient
	if q.stay {
		client = &http.Client{Transport: httpClient.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, a.connectError(req.URL.String(), err)
	}
	return res, nil
}

const lostHint = "The connection to the server is lost. If it has ended, start it by `spacetime start`."

// connectError says why a server could not be reached and what to do.
func (a *api) connectError(address string, err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	f := &failure{msg: fmt.Sprintf("error sending request for url (%s)", address), causes: []string{err.Error()}, err: err, unreachable: true}
	if errors.Is(err, syscall.ECONNREFUSED) || strings.Contains(err.Error(), "refused") {
		f.causes = []string{"connection refused: no server listens there. Start one by `spacetime start`, or choose another by --server; `spacetime server list` shows those you have saved."}
	}
	return f
}

func (a *api) do(ctx context.Context, q request) (*answer, error) {
	res, err := a.open(ctx, q)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, because(err, "error reading the answer of %s", res.Request.URL)
	}
	if len(body) > maxAnswer {
		return nil, fail("the answer of %s is larger than 1 GiB", res.Request.URL)
	}
	return &answer{res.StatusCode, phrase(res), res.Request.URL.String(), res.Header, body}, nil
}

// phrase returns the code and reason phrase of a status line. What Go's servers
// write for codes without a name is none.
func phrase(res *http.Response) string {
	code := strconv.Itoa(res.StatusCode)
	reason := strings.TrimSpace(strings.TrimPrefix(res.Status, code))
	if reason == "" {
		reason = http.StatusText(res.StatusCode)
	}
	if reason == "" || reason == "status code "+code {
		reason = "<none>"
	}
	return code + " " + reason
}

func (a *answer) ok() bool { return a.status >= 200 && a.status < 300 }

func (a *answer) text() string { return strings.TrimRight(string(a.body), "\n") }

func (a *answer) isJSON() bool {
	t, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	return err == nil && t == "application/json"
}

// statusText is how a failed status is printed as a cause.
func (a *answer) statusText() string {
	kind := "client"
	if a.status >= 500 {
		kind = "server"
	}
	return fmt.Sprintf("HTTP status %s error (%s) for url (%s)", kind, a.phrase, a.url)
}

// hintOfStatus helps with what the server refuses to somebody.
func hintOfStatus(code int) string {
	switch code {
	case http.StatusUnauthorized:
		return "The saved token is not valid for this server; `spacetime login --server-issued-login <server>` gets another one, with a new identity."
	case http.StatusForbidden:
		return "`spacetime login show` says who you are. If the database is somebody else's, choose another name, or log in as its owner."
	}
	return ""
}

// err returns the failure that an answer of a failed status is; the server's text
// comes first (spec 09 §2.4).
func (a *answer) err() error {
	if a.ok() {
		return nil
	}
	f := &failure{msg: a.statusText(), code: a.status, hint: hintOfStatus(a.status)}
	if text := a.text(); text != "" && !a.isJSON() {
		f.msg, f.causes = text, []string{a.statusText()}
		if strings.Contains(text, "locked") {
			f.hint = "" // the text says it
		}
		if a.status == http.StatusUnauthorized {
			f.causes = append(f.causes, "the saved token is not valid for this server: log in anew by `spacetime login --server-issued-login <server>`")
			f.hint = "" // the cause says it
		}
	}
	return f
}

// decode reads the JSON of a successful answer.
func (a *answer) decode(into any) error {
	if err := a.err(); err != nil {
		return err
	}
	if !a.isJSON() {
		return fail("HTTP response from url (%s) was success but did not have content-type: application/json", a.url)
	}
	if err := json.Unmarshal(a.body, into); err != nil {
		return because(err, "the answer of %s is not understood", a.url)
	}
	return nil
}

// identityOf resolves a database name (spec 09 §4.2).
func (a *api) identityOf(ctx context.Context, database string) (sats.Identity, error) {
	if id, err := sats.IdentityFromHexPrefixed(database); err == nil {
		return id, nil
	}
	anonymous := *a
	anonymous.token = ""
	res, err := anonymous.do(ctx, request{method: "GET", path: "/v1/database/" + url.PathEscape(database) + "/identity"})
	if err != nil {
		return sats.Identity{}, err
	}
	if res.status == http.StatusNotFound {
		why := "No such database. `spacetime list` shows yours; `spacetime publish " + database + "` makes it."
		if near := a.nearestDatabase(ctx, database); near != "" {
			why = "No such database. Do you mean `" + near + "`?"
		}
		if a.origin != "" {
			why += "\nThe name comes from " + a.origin + ": give another database as the first argument, or --no-config to leave that file out."
		}
		return sats.Identity{}, &failure{msg: fmt.Sprintf("failed to find database `%s`.", database), causes: []string{why}, code: res.status}
	}
	if err := res.err(); err != nil {
		return sats.Identity{}, err
	}
	id, err := sats.ParseIdentity(strings.TrimSpace(res.text()))
	if err != nil {
		return sats.Identity{}, fail("identity endpoint did not return an identity")
	}
	return id, nil
}

// Bounds of the search for a similar name.
const (
	nearestTimeout = 2 * time.Second
	nearestMost    = 100 // databases
)

// nearestDatabase finds the caller's database whose name is like the given one,
// or returns "".
func (a *api) nearestDatabase(ctx context.Context, name string) string {
	me, err := tokenIdentity(a.token)
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, nearestTimeout)
	defer cancel()
	ids, err := a.databasesOf(ctx, me)
	if err != nil {
		return ""
	}
	var known []string
	for _, id := range ids[:min(len(ids), nearestMost)] {
		names, err := a.namesOf(ctx, id)
		if err != nil {
			break
		}
		known = append(known, names...)
	}
	return nearName(name, known)
}

// databasesOf lists the identities of somebody's databases.
func (a *api) databasesOf(ctx context.Context, owner sats.Identity) ([]string, error) {
	res, err := a.do(ctx, request{method: http.MethodGet, path: "/v1/identity/" + owner.String() + "/databases"})
	if err != nil {
		return nil, err
	}
	var body struct{ Identities []string }
	if err := res.decode(&body); err != nil {
		return nil, err
	}
	return body.Identities, nil
}

// namesOf lists a database's names.
func (a *api) namesOf(ctx context.Context, id string) ([]string, error) {
	res, err := a.do(ctx, request{method: http.MethodGet, path: "/v1/database/" + id + "/names"})
	if err != nil {
		return nil, err
	}
	var body struct{ Names []string }
	if err := res.decode(&body); err != nil {
		return nil, err
	}
	return body.Names, nil
}
