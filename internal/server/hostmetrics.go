package server

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stdbgo/spacetime/internal/host"
)

// A hostCollector turns the counts of the host into series when they are asked
// for, so that counting costs the databases no more than an addition.
type hostCollector struct {
	from StatsProvider

	txns, txnTime                      *prometheus.Desc
	tableRows, tableBytes              *prometheus.Desc
	logBytes, memory, queue            *prometheus.Desc
	subscribers, queries               *prometheus.Desc
	viewCalls, viewTime, viewInstances *prometheus.Desc
	requests                           []requestSeries
	requestsInProgress                 *prometheus.Desc
}

// A requestSeries counts something about the HTTP requests of modules.
type requestSeries struct {
	desc *prometheus.Desc
	of   func(*host.HTTPStats) uint64
}

func newHostCollector(from StatsProvider) *hostCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &hostCollector{
		from:        from,
		txns:        desc("spacetime_num_txns_total", "Transactions.", "txn_type", labelDB, "reducer", "committed"),
		txnTime:     desc("spacetime_txn_time_sec_total", "Seconds spent in transactions.", "txn_type", labelDB, "reducer", "committed"),
		tableRows:   desc("spacetime_num_table_rows", "Rows of a table.", labelDB, "table_id", "table_name"),
		tableBytes:  desc("spacetime_table_size_bytes", "Bytes of the rows of a table.", labelDB, "table_id", "table_name"),
		logBytes:    desc("spacetime_message_log_size_bytes", "Bytes of the commit log.", labelDB),
		memory:      desc("spacetime_worker_wasm_memory_bytes", "Bytes of the module's memory.", labelIdentity),
		queue:       desc("spacetime_worker_instance_operation_queue_length", "Jobs that wait for the right to write.", labelIdentity),
		subscribers: desc("spacetime_subscription_connections", "Connections that may subscribe.", labelIdentity),
		queries:     desc("spacetime_query_subscriptions", "Distinct live queries.", labelIdentity),

		viewCalls:     desc("view_calls", "Evaluations of a view.", labelDB, "view"),
		viewTime:      desc("view_call_time_usec", "Microseconds spent in evaluations of a view.", labelDB, "view"),
		viewInstances: desc("spacetime_view_instances", "Instances of views that are kept up to date.", labelDB),
		requests: []requestSeries{
			{desc("spacetime_procedure_num_http_requests", "HTTP requests of procedures.", labelDB), func(s *host.HTTPStats) uint64 { return s.Requests }},
			{desc("spacetime_procedure_num_successful_http_requests", "Those with a response.", labelDB), func(s *host.HTTPStats) uint64 { return s.Successful }},
			{desc("spacetime_procedure_num_failed_http_requests", "Those without a response.", labelDB), func(s *host.HTTPStats) uint64 { return s.Failed }},
			{desc("spacetime_procedure_num_timeout_http_requests", "Those that took too long.", labelDB), func(s *host.HTTPStats) uint64 { return s.TimedOut }},
			{desc("spacetime_procedure_http_request_size_bytes", "Bytes of their bodies.", labelDB), func(s *host.HTTPStats) uint64 { return s.RequestBytes }},
			{desc("spacetime_procedure_http_response_size_bytes", "Bytes of the responses' bodies.", labelDB), func(s *host.HTTPStats) uint64 { return s.ResponseBytes }},
		},
		requestsInProgress: desc("spacetime_procedure_num_in_progress_http_requests", "Those under way.", labelDB),
	}
}

// Describe sends nothing: the series are known only when they are collected.
func (c *hostCollector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the series of all running databases.
func (c *hostCollector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	for _, db := range c.from.Stats() {
		id := db.Identity.String()
		for _, t := range db.Transactions {
			labels := []string{t.Type, id, t.Function, strconv.FormatBool(t.Committed)}
			counter(c.txns, float64(t.Count), labels...)
			counter(c.txnTime, t.Time.Seconds(), labels...)
		}
		for _, t := range db.Tables {
			labels := []string{id, strconv.FormatUint(uint64(t.ID), 10), t.Name}
			gauge(c.tableRows, float64(t.Rows), labels...)
			gauge(c.tableBytes, float64(t.Bytes), labels...)
		}
		for _, v := range db.Views {
			counter(c.viewCalls, float64(v.Count), id, v.View)
			counter(c.viewTime, float64(v.Time.Microseconds()), id, v.View)
		}
		gauge(c.viewInstances, float64(db.Instances), id)
		for _, r := range c.requests {
			counter(r.desc, float64(r.of(&db.HTTP)), id)
		}
		gauge(c.requestsInProgress, float64(db.HTTP.InProgress), id)
		gauge(c.logBytes, float64(db.LogBytes), id)
		gauge(c.memory, float64(db.ModuleMemory), id)
		gauge(c.queue, float64(db.QueueLength), id)
		gauge(c.subscribers, float64(db.Connections), id)
		gauge(c.queries, float64(db.Queries), id)
	}
}

// A sessionCollector sums up what waits in the queues of all sessions.
type sessionCollector struct {
	all                *sessions
	incoming, outgoing *prometheus.Desc
}

func newSessionCollector(all *sessions) *sessionCollector {
	return &sessionCollector{
		all:      all,
		incoming: prometheus.NewDesc("spacetime_total_incoming_queue_length", "Messages from clients that wait.", []string{labelDB}, nil),
		outgoing: prometheus.NewDesc("spacetime_total_outgoing_queue_length", "Messages to clients that wait.", []string{labelDB}, nil),
	}
}

// Describe sends nothing: the series are known only when they are collected.
func (c *sessionCollector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the sums of every database with sessions.
func (c *sessionCollector) Collect(out chan<- prometheus.Metric) {
	for id, n := range c.all.waiting() {
		out <- prometheus.MustNewConstMetric(c.incoming, prometheus.GaugeValue, float64(n.incoming), id.String())
		out <- prometheus.MustNewConstMetric(c.outgoing, prometheus.GaugeValue, float64(n.outgoing), id.String())
	}
}
