package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/stdbgo/spacetime/internal/auth"
	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/schema"
)

// A courier carries calls of outboxes. They go to the own port by HTTP/2 (spec 08
// §38.2), where something else may stand and route them on; a server that does not
// listen hands them to its databases directly.
type courier struct {
	server atomic.Pointer[Server]
	auth   *auth.Authority
	base   atomic.Pointer[string] // URL of the own port; nil: nothing listens
	client *http.Client
	direct sync.WaitGroup // calls without a request

	stopping atomic.Bool
}

var _ host.Courier = (*courier)(nil)

func newCourier(a *auth.Authority) *courier {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	return &courier{auth: a, client: &http.Client{
		Transport:     &http.Transport{Protocols: &protocols, DisableCompression: true, IdleConnTimeout: idleTime},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// listens tells where the server listens. An address that stands for all of the
// machine's is reached by the loopback one.
func (k *courier) listens(at net.Addr) {
	hostname, port, err := net.SplitHostPort(at.String())
	if err != nil {
		return
	}
	if ip := net.ParseIP(hostname); ip != nil && ip.IsUnspecified() {
		hostname = "127.0.0.1"
		if ip.To4() == nil {
			hostname = "::1"
		}
	}
	base := "http://" + net.JoinHostPort(hostname, port)
	k.base.Store(&base)
}

// close waits for the calls that nobody waits for any more. The databases have been closed.
func (k *courier) close() {
	k.client.CloseIdleConnections()
	k.direct.Wait()
}

// stop makes no further request: those under way would hold up the end of the HTTP
// server. What waits is delivered after the next start.
func (k *courier) stop() {
	k.stopping.Store(true)
	k.client.CloseIdleConnections()
}

var errStopping = errors.New("the server is stopping")

// Deliver implements host.Courier.
func (k *courier) Deliver(ctx context.Context, c *host.OutboxCall) (host.OutboxAnswer, error) {
	if k.stopping.Load() {
		return host.OutboxAnswer{}, errStopping
	}
	if base := k.base.Load(); base != nil {
		return k.post(ctx, *base, c)
	}
	type result struct {
		answer host.OutboxAnswer
		err    error
	}
	ended := make(chan result, 1)
	k.direct.Go(func() {
		answer, err := k.hand(ctx, c)
		ended <- result{answer, err}
	})
	select {
	case r := <-ended:
		return r.answer, r.err
	case <-ctx.Done(): // the sender may be closing, and must not wait for a reducer of the receiver
		return host.OutboxAnswer{}, context.Cause(ctx)
	}
}

// hand makes a call without a request.
func (k *courier) hand(ctx context.Context, c *host.OutboxCall) (host.OutboxAnswer, error) {
	s := k.server.Load()
	if s == nil {
		return host.OutboxAnswer{}, errors.New("the server is starting")
	}
	rec, err := s.control.Database(c.Target)
	if err != nil {
		return host.OutboxAnswer{}, err
	}
	db, err := s.open(ctx, rec)
	if err != nil {
		return host.OutboxAnswer{}, err
	}
	return s.receive(ctx, db, c)
}

// post makes the request of spec 06 §4.21.
func (k *courier) post(ctx context.Context, base string, c *host.OutboxCall) (answer host.OutboxAnswer, err error) {
	token, err := k.auth.HostToken(c.Sender, c.Target)
	if err != nil {
		return answer, err
	}
	query := url.Values{
		"stream_id": {strconv.FormatUint(c.Stream, 10)}, "seq": {strconv.FormatUint(c.Seq, 10)},
		"ack_prefix": {strconv.FormatUint(c.AckedTo, 10)}, "signature_hash": {c.Signature.String()},
	}
	address := base + "/v1/database/" + c.Target.String() + "/call-from-database/" + url.PathEscape(c.Reducer) + "?" + query.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(c.Args))
	if err != nil {
		return answer, err
	}
	r.Header.Set("Content-Type", "application/octet-stream")
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := k.client.Do(r)
	if err != nil {
		return answer, err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	return readAnswer(res)
}

// maxAnswer bounds what is read of an answer, in bytes. Our own are shorter.
const maxAnswer = 2 << 20

// outOfOrder is the text of a host.OutOfOrderError.
const outOfOrder = "IDC delivery is out of order: expected seq %d, got %d"

// readAnswer translates an answer. Any status but four means that the call is to be
// made again.
func readAnswer(res *http.Response) (host.OutboxAnswer, error) {
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return host.OutboxAnswer{}, err
	}
	switch res.StatusCode {
	case http.StatusOK:
		return host.OutboxAnswer{Status: schema.ResultOk}, nil
	case http.StatusUnprocessableEntity:
		return host.OutboxAnswer{Status: schema.ResultErr, Text: string(body)}, nil
	case http.StatusPaymentRequired:
		return host.OutboxAnswer{Status: schema.ResultBudget, Text: string(body)}, nil
	case http.StatusAlreadyReported:
		return host.OutboxAnswer{Forgotten: true}, nil
	}
	if order := new(host.OutOfOrderError); res.StatusCode == http.StatusConflict {
		if n, _ := fmt.Sscanf(string(body), outOfOrder, &order.Expected, &order.Got); n == 2 {
			return host.OutboxAnswer{}, order
		}
	}
	text := strings.TrimSpace(strings.ToValidUTF8(string(body[:min(len(body), 500)]), ""))
	if text != "" {
		text = ": " + text
	}
	return host.OutboxAnswer{}, fmt.Errorf("%s%s", res.Status, text)
}
