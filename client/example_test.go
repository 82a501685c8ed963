package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/sats"
)

// Without a generated package, arguments and rows are BSATN, which package sats
// writes and reads for structs.
func ExampleDial() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := client.Dial(ctx, nil, client.Options{URL: "http://127.0.0.1:3000", Database: "chat"})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println("connected as", conn.Identity())

	name := struct{ Name string }{"Ada"}
	err = conn.Call("set_name", sats.Append(nil, &name)).Wait(ctx)
	var refused *client.ReducerError
	switch {
	case errors.As(err, &refused):
		fmt.Println("the module refuses the name:", refused.Message)
	case errors.Is(err, client.ErrDisconnected):
		fmt.Println("nobody knows whether the name is set:", err)
	case err != nil:
		log.Fatal(err)
	}
}

// The rows of a query, first those that there are, then every change.
func ExampleConn_SubscribeRows() {
	ctx := context.Background()
	conn, err := client.Dial(ctx, nil, client.Options{URL: "http://127.0.0.1:3000", Database: "chat"})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	_, err = conn.SubscribeRows(ctx, func(rows client.Rows) {
		for i := range rows.Inserted.Len() {
			var message struct {
				Sender sats.Identity
				Sent   sats.Timestamp
				Text   string
			}
			if _, err := sats.Decode(rows.Inserted.At(i), &message); err != nil {
				log.Print(err)
				return
			}
			fmt.Println(message.Sender.Abbreviated(), message.Text)
		}
	}, "SELECT * FROM message")
	if err != nil {
		log.Fatal(err) // a *client.SubscriptionError if the server refuses the query
	}
	<-conn.Done()
}

// A connection that comes back by itself. What has changed meanwhile arrives as one
// transaction of the kind Resync.
func ExampleReconnect() {
	path := "token.txt"
	token, err := client.LoadToken(path) // the same identity as last time
	if err != nil {
		log.Fatal(err)
	}
	conn, err := client.Dial(context.Background(), nil, client.Options{
		URL: "http://127.0.0.1:3000", Database: "chat", Token: token, Reconnect: client.DefaultReconnect,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(conn.State().Phase)
}
