//go:build unix

package server

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

var endingSignals = []os.Signal{syscall.SIGINT, syscall.SIGTERM}

func notifyContext() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), endingSignals...)
}
