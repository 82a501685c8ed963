package host

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	"github.com/stdbgo/spacetime/sats"
)

// What transactions of clients that come and go are called in the log (spec 08 §12).
const (
	connectedName    = "call_identity_connected"
	disconnectedName = "__identity_disconnected__"
)

// Connect enters a client: its rows in st_client and st_connection_credentials
// and the module's client_connected, in one transaction. A *RejectedError is the
// module's refusal.
func (db *Database) Connect(ctx context.Context, who Caller) error {
	return db.connectJob(ctx, who, func() {})
}

// Attach is Connect for a client with subscriptions. exited is called, under the
// right to write, when the module leaves and the client has to go: by an update
// that breaks clients, or because the database stops.
func (db *Database) Attach(ctx context.Context, c *subscribe.Client, who Caller, exited func()) error {
	return db.connectJob(ctx, who, func() {
		db.subs.Add(c)
		who.JWT = nil // it is in st_connection_credentials
		db.clients[c] = &attached{who, exited}
		db.gauge()
	})
}

func (db *Database) connectJob(ctx context.Context, who Caller, then func()) error {
	var failed error
	err := db.exec.do(ctx, func(at sats.Timestamp) {
		if failed = db.connect(at, who); failed == nil {
			then()
		}
	})
	if err == nil {
		err = failed
	}
	return err
}

func (db *Database) connect(at sats.Timestamp, who Caller) error {
	tx := db.store.Begin()
	if err := insertClient(tx, who); err != nil {
		tx.Rollback()
		return fmt.Errorf("Failed to insert `st_client` row: %w", err)
	}
	ev := clientEvent(who, at)
	var out abi.Outcome
	r := db.mod.connect
	if r != nil {
		out, _ = db.invoke(tx, r, who, at, nil)
		ev = event(r, who, at, nil)
	}
	if out = db.refreshAfter(tx, at, out); out.Status != abi.StatusOK {
		if r == nil { // a view has failed, which is in the log
			tx.Rollback()
		} else {
			db.rollback(tx, r, at, out)
		}
		status, message := failureOf(out)
		return &RejectedError{Message: message, OutOfEnergy: status == OutOfEnergy}
	}
	if _, err := db.commit(tx, db.inputs(connectedName, who, at, nil), ev); err != nil {
		return ErrStopped
	}
	return nil
}

// clientEvent describes a transaction of a client that no reducer made.
func clientEvent(who Caller, at sats.Timestamp) *subscribe.Event {
	return &subscribe.Event{Caller: who.Identity, Connection: who.Conn, ReducerID: v1.NoReducer, Timestamp: at}
}

func insertClient(tx *store.Tx, who Caller) error {
	client := schema.StClientRow{Identity: who.Identity, ConnectionID: who.Conn}
	if _, _, err := tx.Insert(schema.StClient, client.Append(nil)); err != nil {
		return err
	}
	if len(who.JWT) == 0 {
		return nil
	}
	cred := schema.StConnectionCredentialsRow{ConnectionID: who.Conn, JWTPayload: string(who.JWT)}
	_, _, err := tx.Insert(schema.StConnectionCredentials, cred.Append(nil))
	return err
}

// Disconnect undoes Connect: it runs client_disconnected and removes the client's
// rows, whatever the module says. A client that is not there is no error.
func (db *Database) Disconnect(ctx context.Context, who Caller) error {
	return db.disconnectJob(ctx, who, func() {})
}

// Detach undoes Attach.
func (db *Database) Detach(ctx context.Context, c *subscribe.Client, who Caller) error {
	return db.disconnectJob(ctx, who, func() {
		db.subs.Remove(c)
		delete(db.clients, c)
		db.gauge()
	})
}

func (db *Database) disconnectJob(ctx context.Context, who Caller, first func()) error {
	var failed error
	err := db.exec.do(ctx, func(at sats.Timestamp) {
		first()
		failed = db.disconnect(at, who)
	})
	if err == nil {
		err = failed
	}
	return err
}

// disconnect removes a client's rows, in the transaction of client_disconnected or
// after it has failed (spec 08 §12.3).
func (db *Database) disconnect(at sats.Timestamp, who Caller) error {
	tx := db.store.Begin()
	if !hasClient(tx, who) {
		tx.Rollback()
		return nil
	}
	if r := db.mod.leave; r != nil {
		out, _ := db.invoke(tx, r, who, at, nil)
		if out.Status == abi.StatusOK {
			if err := deleteClient(tx, who); err != nil {
				return notRemoved(tx, err)
			}
			out = db.refreshAfter(tx, at, out)
		}
		if out.Status == abi.StatusOK {
			return db.commitLeave(tx, r.Name, who, at, event(r, who, at, nil))
		}
		db.rollback(tx, r, at, out)
		tx = db.store.Begin()
	}
	if err := deleteClient(tx, who); err != nil {
		return notRemoved(tx, err)
	}
	if err := db.refreshViews(tx, at); err != nil {
		// Nobody can refuse that a client leaves. The views that are not refreshed will
		// be by the next transaction that changes what they have read.
		tx.Rollback()
		db.logger.Error("a client leaves, and views that read the tables of clients keep their old rows", slog.Any("error", err))
		tx = db.store.Begin()
		if err := deleteClient(tx, who); err != nil {
			return notRemoved(tx, err)
		}
	}
	return db.commitLeave(tx, disconnectedName, who, at, clientEvent(who, at))
}

func notRemoved(tx *store.Tx, err error) error {
	tx.Rollback()
	return fmt.Errorf("host: remove the rows of a client: %w", err)
}

func (db *Database) commitLeave(tx *store.Tx, name string, who Caller, at sats.Timestamp, ev *subscribe.Event) error {
	if _, err := db.commit(tx, db.inputs(name, who, at, nil), ev); err != nil {
		return ErrStopped
	}
	return nil
}

// rowOf returns the row of st_client and the key of its index.
func (who Caller) rowOf() []byte {
	row := schema.StClientRow{Identity: who.Identity, ConnectionID: who.Conn}
	return row.Append(nil)
}

func hasClient(r store.Reader, who Caller) bool {
	ix := r.Table(schema.StClient).IndexOn(0, 1)
	_, ok := r.FindUnique(ix.ID, who.rowOf())
	return ok
}

// deleteClient removes a client's rows.
func deleteClient(tx *store.Tx, who Caller) error {
	if _, err := tx.DeleteRow(schema.StClient, who.rowOf()); err != nil {
		return err
	}
	ix := tx.Table(schema.StConnectionCredentials).UniqueIndexOn(0)
	_, err := tx.DeletePoint(ix.ID, who.Conn[:])
	return err
}

// clientsOf returns the clients that st_client names.
func clientsOf(r store.Reader) []Caller {
	var list []Caller
	for row := range r.Scan(schema.StClient) {
		var c schema.StClientRow
		if c.Decode(row) == nil {
			list = append(list, Caller{Identity: c.Identity, Conn: c.ConnectionID})
		}
	}
	return list
}

// disconnectAll disconnects every client that st_client names, one after another.
// It belongs to the writer.
func (db *Database) disconnectAll(at sats.Timestamp) {
	v := db.store.View()
	list := clientsOf(v)
	v.Close()
	for i, who := range list {
		if i > 0 {
			at = db.exec.stamp()
		}
		if err := db.disconnect(at, who); err != nil {
			db.logger.Error("a client cannot be disconnected", "error", err)
			return
		}
	}
}

// sweepClients disconnects the clients that the last run left behind, and empties
// the tables that describe connections.
func (db *Database) sweepClients(at sats.Timestamp) error {
	db.disconnectAll(at)
	tx := db.store.Begin()
	for _, id := range []schema.TableID{schema.StClient, schema.StConnectionCredentials} {
		if tx.RowCount(id) == 0 {
			continue
		}
		if _, err := tx.Clear(id); err != nil {
			tx.Rollback()
			return fmt.Errorf("host: clear the tables of clients: %w", err)
		}
	}
	_, err := db.commit(tx, nil, nil)
	return err
}

// exitAll removes all attached clients and tells them that the module has gone.
// It belongs to the writer.
func (db *Database) exitAll() {
	for c, a := range db.clients {
		db.subs.Remove(c)
		a.exited()
	}
	clear(db.clients)
	db.gauge()
}
