package server

import (
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/sats"
)

// metrics are the series of spec 06 §8 that arise in the server, and those the
// host counts. Two names are used for one label, as upstream does.
type metrics struct {
	registry *prometheus.Registry
	handler  http.Handler

	connected      *prometheus.GaugeVec
	spawned        *prometheus.GaugeVec
	aborted        *prometheus.GaugeVec
	closed         *prometheus.GaugeVec
	idle           *prometheus.CounterVec
	disconnections *prometheus.CounterVec
	rejections     *prometheus.CounterVec
	requests       *prometheus.CounterVec
	requestSize    *prometheus.HistogramVec
	sentSize       *prometheus.HistogramVec
	pongTime       *prometheus.HistogramVec
	overflows      *prometheus.CounterVec
	launches       *prometheus.CounterVec
	httpBytes      *prometheus.CounterVec

	families   []family // all that there are
	refused    prometheus.Counter
	held       prometheus.Counter
	inProgress prometheus.Gauge

	byIdentity []*prometheus.MetricVec // series with the label database_identity
	byDB       []*prometheus.MetricVec // series with the label db
}

const (
	labelIdentity = "database_identity"
	labelDB       = "db"
)

// A family describes series of one name.
type family struct {
	name, kind string
	labels     []string
	help       string
}

// families collects what collectors export.
type families []family

// describe makes the description of a family and notes it.
func (f *families) describe(kind, name, help string, labels ...string) *prometheus.Desc {
	*f = append(*f, family{name, kind, labels, help})
	return prometheus.NewDesc(name, help, labels, nil)
}

func newMetrics(h Host, all *sessions) *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	p, _ := h.(StatsProvider)
	hosts, ofSessions := newHostCollector(p, (*families)(&m.families)), newSessionCollector(all, (*families)(&m.families))
	m.registry.MustRegister(ofSessions)
	if p != nil {
		m.registry.MustRegister(hosts)
	}
	m.connected = m.gauge("spacetime_worker_connected_clients", "Clients connected over WebSocket.", labelIdentity)
	m.spawned = m.gauge("spacetime_worker_ws_clients_spawned", "WebSocket sessions begun.", labelIdentity)
	m.aborted = m.gauge("spacetime_worker_ws_clients_aborted", "WebSocket sessions killed by the server.", labelIdentity)
	m.closed = m.gauge("spacetime_worker_ws_clients_closed_connection", "WebSocket sessions ended by the client.", labelIdentity)
	m.idle = m.counter("spacetime_worker_ws_clients_idle_timed_out_total", "Sessions dropped after silence.", labelIdentity)
	m.disconnections = m.counter("spacetime_worker_ws_client_disconnections_total", "Ends of sessions.", labelIdentity, "cause")
	m.rejections = m.counter("spacetime_worker_ws_client_rejections_total", "Connections that did not become sessions.", labelIdentity, "cause")
	m.requests = m.counter("spacetime_websocket_requests_total", "Messages from clients.", labelIdentity, "protocol")
	m.requestSize = m.histogram("spacetime_websocket_request_msg_size", "Bytes of messages from clients.", nil, labelIdentity, "protocol")
	m.sentSize = m.histogram("spacetime_websocket_sent_msg_size_bytes", "Bytes of messages to clients.",
		[]float64{100, 500, 1e3, 10e3, 100e3, 500e3, 1e6, 5e6, 10e6, 25e6, 50e6, 75e6, 100e6, 500e6}, labelDB)
	m.pongTime = m.histogram("spacetime_websocket_pong_rtt_secs", "Time from a ping to its pong.",
		[]float64{.005, .025, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120}, labelDB)
	m.overflows = m.counter("spacetime_client_outgoing_queue_disconnects_total", "Sessions killed because the client read too slowly.", labelDB)
	m.launches = m.counter("spacetime_module_host_init_failures_total", "Databases that could not be started.", labelIdentity)
	m.httpBytes = m.counter("spacetime_http_response_size_bytes_total", "Bytes of HTTP answers, headers included.", labelDB)
	m.refused = m.total("spacetime_http_refused_requests_total", "HTTP requests refused because their client sent too many, or had too many connections.")
	m.held = m.total("spacetime_websocket_held_up_total", "How often a client was not heard for a while because it sent too many messages.")
	const progress, what = "spacetime_http_requests_in_progress", "HTTP requests under way, WebSockets among them."
	m.inProgress = prometheus.NewGauge(prometheus.GaugeOpts{Name: progress, Help: what})
	m.families = append(m.families, family{progress, "gauge", nil, what})
	m.registry.MustRegister(m.inProgress)
	m.handler = promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
	return m
}

// keep registers a family and notes by which label it names the database.
func (m *metrics) keep(c prometheus.Collector, v *prometheus.MetricVec, label string) {
	m.registry.MustRegister(c)
	if label == labelIdentity {
		m.byIdentity = append(m.byIdentity, v)
	} else {
		m.byDB = append(m.byDB, v)
	}
}

func (m *metrics) gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	m.families = append(m.families, family{name, "gauge", labels, help})
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	m.keep(v, v.MetricVec, labels[0])
	return v
}

// total is a counter of the whole server.
func (m *metrics) total(name, help string) prometheus.Counter {
	m.families = append(m.families, family{name, "counter", nil, help})
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	m.registry.MustRegister(c)
	return c
}

func (m *metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	m.families = append(m.families, family{name, "counter", labels, help})
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.keep(v, v.MetricVec, labels[0])
	return v
}

func (m *metrics) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	m.families = append(m.families, family{name, "histogram", labels, help})
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	m.keep(v, v.MetricVec, labels[0])
	return v
}

// forget removes the series of a deleted database.
func (m *metrics) forget(id sats.Identity) {
	text := id.String()
	for _, v := range m.byIdentity {
		v.DeletePartialMatch(prometheus.Labels{labelIdentity: text})
	}
	for _, v := range m.byDB {
		v.DeletePartialMatch(prometheus.Labels{labelDB: text})
	}
}

func (m *metrics) launchFailed(id sats.Identity) { m.launches.WithLabelValues(id.String()).Inc() }

func (m *metrics) responseBytes(id sats.Identity, w *countingWriter) {
	m.httpBytes.WithLabelValues(id.String()).Add(float64(w.size()))
}

// serveMetrics answers in the Prometheus text format. The content type has no
// version parameter (spec 06 §4.2).
func (s *Server) serveMetrics(q *request) error {
	r := q.r.Clone(q.r.Context())
	r.Header.Del("Accept")
	r.Header.Del("Accept-Encoding")
	s.metrics.handler.ServeHTTP(&plainText{q.w, q.w.Header()["Vary"]}, r)
	return nil
}

// plainText keeps an answer's content type and Vary header as ours are.
type plainText struct {
	http.ResponseWriter
	vary []string
}

func (w *plainText) WriteHeader(status int) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header()["Vary"] = w.vary
	w.ResponseWriter.WriteHeader(status)
}

func (w *plainText) Write(b []byte) (int, error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header()["Vary"] = w.vary
	return w.ResponseWriter.Write(b)
}

// A countingWriter counts the bytes of an answer.
type countingWriter struct {
	http.ResponseWriter
	body atomic.Int64
}

func (w *countingWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.body.Add(int64(n))
	return n, err
}

// Unwrap lets http.ResponseController through.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// size is the sum of header names, header values and body bytes.
func (w *countingWriter) size() int64 {
	n := w.body.Load()
	for name, values := range w.Header() {
		for _, v := range values {
			n += int64(len(name) + len(v))
		}
	}
	return n
}

// A StatsProvider is a Host that counts what its databases do.
type StatsProvider interface {
	// Stats returns what every running database counted since it was launched.
	Stats() []DatabaseStats
}

// DatabaseStats are the counts of one database.
type DatabaseStats = host.Stats
