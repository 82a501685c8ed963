package server

import (
	"context"
	"os"
	"os/signal"
)

// endingSignals is empty: Windows has no signal that a test can send.
var endingSignals []os.Signal

func notifyContext() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt)
}
