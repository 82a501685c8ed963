package server

import (
	"log/slog"
	"net/http"
	"time"
)

// A seenWriter remembers what was answered.
type seenWriter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *seenWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *seenWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController through.
func (w *seenWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// logRequest logs a request that has been answered; of a WebSocket, its handshake.
// Neither headers nor the query are logged: tokens and secrets stand there.
func (s *Server) logRequest(w *seenWriter, r *http.Request, start time.Time) {
	status := w.status
	if status == 0 {
		status = http.StatusSwitchingProtocols // the connection was taken over
	}
	s.log.LogAttrs(r.Context(), slog.LevelInfo, "request",
		slog.String("address", s.proxies.client(r).String()), slog.String("method", r.Method), slog.String("path", r.URL.Path),
		slog.Int("status", status), slog.Int64("bytes", w.bytes), slog.Int64("micros", s.now().Sub(start).Microseconds()))
}
