// Package client connects Go programs to a database: it calls reducers,
// subscribes to queries and receives every change.
//
// It owns one WebSocket per Conn and the two goroutines that read and write it.
// It promises that changes are handed over in the server's order, a transaction's
// before the result of the call that made it, and that every call ends: with its
// outcome or with the reason why the connection ended. It must not know the server's rooms, only the
// protocol (spec 05) and the requirements of spec 10 §9.
//
// Rows and arguments are BSATN bytes here; package sats turns them into Go values.
package client

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
)

// Confirmed says whether the server holds answers back until what they show is
// on disk.
type Confirmed uint8

const (
	ConfirmedDefault Confirmed = iota // the server decides: yes
	ConfirmedYes
	ConfirmedNo
)

// Options say where and how to connect. URL and Database are required.
type Options struct {
	// URL of the server; http, https, ws and wss are understood, a path is kept.
	URL string
	// Database is a name or an identity.
	Database string
	// Token authenticates; empty asks the server for a new identity.
	Token string
	// ConfirmedReads; the zero value leaves it to the server.
	ConfirmedReads Confirmed
	// MaxMessage bounds one message from the server in bytes; 0 means 1 GiB.
	MaxMessage int64
	// QueueBytes bounds what waits to be sent; a call beyond it waits. 0 means 4 MiB.
	QueueBytes int
	// HTTPClient makes the handshake; nil means http.DefaultClient.
	HTTPClient *http.Client
	// Logger hears of messages that cannot be used; nil means none.
	Logger *slog.Logger
}

const (
	defaultMaxMessage = 1 << 30
	defaultQueueBytes = 4 << 20
)

// ErrDisconnected is why a call's outcome is unknown: the connection ended before
// it arrived, and the call may or may not have committed.
var ErrDisconnected = errors.New("client: the connection has ended")

// errClosed is the cause that ErrDisconnected wraps after Close.
var errClosed = errors.New("Close was called")

// A ReducerError is the error that a reducer returned.
type ReducerError struct{ Reducer, Message string }

func (e *ReducerError) Error() string { return e.Message }

// A HostError says that the server could not run a call: unknown name, wrong
// arguments, a crash in the module, or no budget left.
type HostError struct{ Call, Message string }

func (e *HostError) Error() string { return fmt.Sprintf("%s: %s", e.Call, e.Message) }

// A SubscriptionError says why a subscription was refused or has ended.
type SubscriptionError struct {
	Queries []string
	Message string
}

func (e *SubscriptionError) Error() string { return e.Message }

// A DialError is an answer of the server that is no connection.
type DialError struct {
	URL     string
	Status  int
	Message string
}

func (e *DialError) Error() string {
	return fmt.Sprintf("client: %s answers %d: %s", e.URL, e.Status, e.Message)
}

// address returns the WebSocket URL of the subscribe route.
func (o *Options) address() (string, error) {
	if o.Database == "" {
		return "", errors.New("client: Options.Database is empty: give the name or identity of a database")
	}
	u, err := url.Parse(o.URL)
	if err != nil {
		return "", fmt.Errorf("client: Options.URL: %w", err)
	}
	switch u.Scheme {
	case "http", "ws":
		u.Scheme = "ws"
	case "https", "wss":
		u.Scheme = "wss"
	default:
		return "", fmt.Errorf("client: Options.URL %q must begin with http://, https://, ws:// or wss://", o.URL)
	}
	u = u.JoinPath("v1", "database", url.PathEscape(o.Database), "subscribe")
	q := url.Values{"compression": {"None"}}
	switch o.ConfirmedReads {
	case ConfirmedYes:
		q.Set("confirmed", "true")
	case ConfirmedNo:
		q.Set("confirmed", "false")
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}
