package server

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stdbgo/spacetime/internal/host"
)

// A hostCollector turns the counts of the host into series when they are asked
// for, so that counting costs the databases no more than an addition.
type hostCollector struct {
	from     StatsProvider
	database []databaseSeries
	calls    functionSeries
	tables   tableSeries
	views    viewSeries
	outboxes outboxSeries
	queries  querySeries
	sent     sentSeries

	delay, created, checkpoint, instances *prometheus.Desc
}

// A databaseSeries is a number of each database.
type databaseSeries struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(*host.Stats) float64
}

// functionSeries are counts by the functions that transactions run.
type functionSeries struct {
	txns, txnTime                       *prometheus.Desc
	elapsed, cpu, wait, whole           *prometheus.Desc
	fuel, wasmTime, traps, refusals     *prometheus.Desc
	hostTime, trip                      *prometheus.Desc
	written, rows, bytes, seeks         *prometheus.Desc
	inserted, deleted, indexed, dropped *prometheus.Desc
}

// tableSeries are sizes of tables.
type tableSeries struct {
	rows, bytes                  *prometheus.Desc
	dataRows, dataBytes, entries *prometheus.Desc
	keys                         *prometheus.Desc
	blobs, blobBytes             *prometheus.Desc // of the database
}

// outboxSeries are counts of outboxes, which call reducers of other databases (spec 08
// §38.6).
type outboxSeries struct{ attempts, failures, retries, callbacks, duration *prometheus.Desc }

// querySeries are counts by the kind of messages about queries.
type querySeries struct{ evaluated, compile, wait *prometheus.Desc }

// sentSeries are counts of the messages that were handed to clients' connections.
type sentSeries struct{ bytes, rows, serialize *prometheus.Desc }

type viewSeries struct{ calls, time, total *prometheus.Desc }

func newHostCollector(from StatsProvider, all *families) *hostCollector {
	c := &hostCollector{from: from}
	gauge := func(name, help, label string, of func(*host.Stats) float64) {
		c.database = append(c.database, databaseSeries{all.describe("gauge", name, help, label), prometheus.GaugeValue, of})
	}
	counter := func(name, help, label string, of func(*host.Stats) float64) {
		c.database = append(c.database, databaseSeries{all.describe("counter", name, help, label), prometheus.CounterValue, of})
	}
	c.calls.describe(all)
	c.tables = tableSeries{
		rows:      all.describe("gauge", "spacetime_num_table_rows", "Rows of a table.", labelDB, "table_id", "table_name"),
		bytes:     all.describe("gauge", "spacetime_table_size_bytes", "Bytes of a table, with its indexes.", labelDB, "table_id", "table_name"),
		dataRows:  all.describe("gauge", "spacetime_data_size_table_num_rows", "Rows of a table.", labelDB, "table_name"),
		dataBytes: all.describe("gauge", "spacetime_data_size_table_bytes_used_by_rows", "Bytes of a table without its indexes.", labelDB, "table_name"),
		entries:   all.describe("gauge", "spacetime_data_size_table_num_rows_in_indexes", "Entries of the indexes of a table.", labelDB, "table_name"),
		keys:      all.describe("gauge", "spacetime_data_size_table_bytes_used_by_index_keys", "Bytes of these entries: keys, and pointers to rows.", labelDB, "table_name"),
		blobs:     all.describe("gauge", "spacetime_data_size_blob_store_num_blobs", "Rows above 4 KiB, which have memory of their own.", labelDB),
		blobBytes: all.describe("gauge", "spacetime_data_size_blob_store_bytes_used_by_blobs", "Bytes of these rows.", labelDB),
	}
	c.views = viewSeries{
		calls: all.describe("counter", "view_calls", "Evaluations of a view.", labelDB, "view"),
		time:  all.describe("counter", "view_call_time_usec", "Microseconds spent in evaluations of a view.", labelDB, "view"),
		total: all.describe("counter", "view_total_time_usec", "The same: the query that a view returns is run within its evaluation.", labelDB, "view"),
	}
	gauge("spacetime_view_instances", "Instances of views that are kept up to date.", labelDB, func(s *host.Stats) float64 { return float64(s.Instances) })

	gauge("spacetime_message_log_size_bytes", "Bytes of the commit log.", labelDB, func(s *host.Stats) float64 { return float64(s.LogBytes) })
	gauge("spacetime_message_log_size_blocks", "Files of the commit log.", labelDB, func(s *host.Stats) float64 { return float64(s.Log.Segments) })
	gauge("spacetime_module_log_file_size_bytes", "Bytes of today's log of the module.", labelDB, func(s *host.Stats) float64 { return float64(s.LogFile) })
	gauge("spacetime_worker_wasm_memory_bytes", "Bytes of the module's memory.", labelIdentity, func(s *host.Stats) float64 { return float64(s.ModuleMemory) })
	gauge("spacetime_worker_instance_operation_queue_length", "Jobs that wait for the right to write.", labelIdentity, func(s *host.Stats) float64 { return float64(s.Waiting) })
	gauge("spacetime_subscription_connections", "Connections that may subscribe.", labelIdentity, func(s *host.Stats) float64 { return float64(s.Clients) })
	gauge("spacetime_active_queries", "Distinct live queries.", labelIdentity, func(s *host.Stats) float64 { return float64(s.Queries) })
	gauge("spacetime_subscription_sets", "Sets of queries that clients hold.", labelIdentity, func(s *host.Stats) float64 { return float64(s.Subscriptions.Sets) })
	gauge("spacetime_query_subscriptions", "Subscriptions of clients to queries.", labelIdentity, func(s *host.Stats) float64 { return float64(s.Subscriptions.Queries) })
	gauge("spacetime_legacy_subscriptions", "Those of them without an id.", labelIdentity, func(s *host.Stats) float64 { return float64(s.Subscriptions.Legacy) })
	counter("spacetime_num_queries_subscribed", "Queries that clients subscribed to.", labelDB, func(s *host.Stats) float64 { return float64(s.Subscriptions.Subscribed) })
	counter("spacetime_num_new_queries_subscribed", "Those that nobody was subscribed to.", labelDB, func(s *host.Stats) float64 { return float64(s.Subscriptions.New) })
	counter("spacetime_num_delta_queries_evaluated", "Live queries that were evaluated because of a transaction.", labelDB, func(s *host.Stats) float64 { return float64(s.Subscriptions.Evaluated) })
	counter("spacetime_num_delta_queries_matched", "Those whose rows it changed.", labelDB, func(s *host.Stats) float64 { return float64(s.Subscriptions.Matched) })
	counter("spacetime_num_duplicate_rows_evaluated", "Rows of joins that transactions changed, found more than once.", labelDB, func(s *host.Stats) float64 { return float64(s.Subscriptions.DuplicatesEvaluated) })
	counter("spacetime_num_duplicate_rows_sent", "Those of them that were sent more than once.", labelDB, func(s *host.Stats) float64 { return float64(s.Subscriptions.DuplicatesSent) })
	c.sent = sentSeries{
		bytes:     all.describe("counter", "spacetime_num_bytes_sent_to_clients_total", "Bytes of messages to clients, before compression.", "txn_type", labelDB),
		rows:      all.describe("histogram", "spacetime_websocket_sent_num_rows", "Rows of messages to clients.", labelDB),
		serialize: all.describe("histogram", "spacetime_websocket_serialize_secs", "Time to encode what one message or transaction means to all clients, of every sixteenth.", labelDB),
	}
	c.queries = querySeries{
		evaluated: all.describe("counter", "spacetime_num_queries_evaluated", "Queries of messages that were evaluated.", labelDB, "workload"),
		compile:   all.describe("histogram", "spacetime_subscription_compile_time_sec", "Time to compile a query of a message.", labelDB, "workload"),
		wait:      all.describe("histogram", "spacetime_subscription_lock_wait_time_sec", "Time for which messages about queries waited for the right to write.", labelDB, "workload"),
	}
	counter("spacetime_module_host_init_attempts_total", "How often it was tried to start a database.", labelIdentity, func(s *host.Stats) float64 { return float64(s.Launches) })

	c.delay = all.describe("histogram", "spacetime_scheduled_function_delay_seconds", "How long after its time a scheduled function was called.", labelDB, "function")
	gauge("spacetime_scheduler_active_scheduled_functions", "Scheduled functions that are being called.", labelDB, func(s *host.Stats) float64 { return float64(s.Flying) })
	c.created = all.describe("histogram", "spacetime_module_create_instance_time_seconds", "Time to make an instance of a module.", labelDB, "module_type")

	c.instances = all.describe("gauge", "spacetime_module_instances", "Instances of a module.", labelIdentity, "module_type")
	c.checkpoint = all.describe("histogram", "spacetime_snapshot_creation_time_total_sec", "Time to write a checkpoint.", labelDB)

	gauge("spacetime_replay_total_time_seconds", "Time to read the database back at its start.", labelDB, func(s *host.Stats) float64 { return s.Replay.Total.Seconds() })
	gauge("spacetime_replay_commitlog_time_seconds", "The part of it for the log behind the checkpoint.", labelDB, func(s *host.Stats) float64 { return s.Replay.Log.Seconds() })
	gauge("spacetime_replay_commitlog_num_commits", "Transactions that were read from the log.", labelDB, func(s *host.Stats) float64 { return float64(s.Replay.Transactions) })

	gauge("spacetime_idc_in_flight_messages", "Messages of outboxes under way.", labelIdentity, func(s *host.Stats) float64 { return float64(s.Outboxes.InFlight) })
	gauge("spacetime_idc_in_flight_bytes", "Bytes of their arguments.", labelIdentity, func(s *host.Stats) float64 { return float64(s.Outboxes.InFlightBytes) })
	gauge("spacetime_idc_notification_queue_depth", "Streams of messages that wait for their turn.", labelIdentity, func(s *host.Stats) float64 { return float64(s.Outboxes.Waiting) })
	counter("spacetime_idc_actor_errors_total", "Faults in the delivery of messages.", labelIdentity, func(s *host.Stats) float64 { return float64(s.Outboxes.Errors) })
	c.outboxes = outboxSeries{
		attempts:  all.describe("counter", "spacetime_idc_delivery_attempts_total", "Attempts to deliver a message of an outbox.", labelIdentity, "table_name"),
		failures:  all.describe("counter", "spacetime_idc_delivery_failures_total", "Those that failed.", labelIdentity, "table_name"),
		retries:   all.describe("counter", "spacetime_idc_retries_total", "Those that were not the first.", labelIdentity, "table_name"),
		callbacks: all.describe("counter", "spacetime_idc_callback_failures_total", "Results that the module did not take.", labelIdentity, "table_name"),
		duration:  all.describe("histogram", "spacetime_idc_delivery_duration_seconds", "Time of an attempt.", labelIdentity, "table_name"),
	}

	counter("spacetime_procedure_num_http_requests", "HTTP requests of procedures.", labelDB, func(s *host.Stats) float64 { return float64(s.HTTP.Requests) })
	counter("spacetime_procedure_num_successful_http_requests", "Those with a response.", labelDB, func(s *host.Stats) float64 { return float64(s.HTTP.Successful) })
	counter("spacetime_procedure_num_failed_http_requests", "Those without a response.", labelDB, func(s *host.Stats) float64 { return float64(s.HTTP.Failed) })
	counter("spacetime_procedure_num_timeout_http_requests", "Those that took too long.", labelDB, func(s *host.Stats) float64 { return float64(s.HTTP.TimedOut) })
	counter("spacetime_procedure_http_request_size_bytes", "Bytes of their bodies.", labelDB, func(s *host.Stats) float64 { return float64(s.HTTP.RequestBytes) })
	counter("spacetime_procedure_http_response_size_bytes", "Bytes of the responses' bodies.", labelDB, func(s *host.Stats) float64 { return float64(s.HTTP.ResponseBytes) })
	gauge("spacetime_procedure_num_in_progress_http_requests", "Those under way.", labelDB, func(s *host.Stats) float64 { return float64(s.HTTP.InProgress) })
	return c
}

func (f *functionSeries) describe(all *families) {
	kinds := []string{"txn_type", labelDB, "reducer"}
	rows := []string{"txn_type", labelDB, "reducer_or_query", "table_id", "table_name"}
	failed := []string{labelIdentity, "module_hash", "reducer_symbol"}
	*f = functionSeries{
		txns:     all.describe("counter", "spacetime_num_txns_total", "Transactions.", "txn_type", labelDB, "reducer", "committed"),
		txnTime:  all.describe("counter", "spacetime_txn_time_sec_total", "Seconds spent in transactions.", "txn_type", labelDB, "reducer", "committed"),
		elapsed:  all.describe("histogram", "spacetime_txn_elapsed_time_sec", "Time of transactions, with the wait for the right to write.", kinds...),
		cpu:      all.describe("histogram", "spacetime_txn_cpu_time_sec", "Time of transactions without that wait.", kinds...),
		wait:     all.describe("histogram", "spacetime_reducer_wait_time_sec", "Time for which calls of a reducer waited.", labelDB, "reducer"),
		whole:    all.describe("histogram", "spacetime_reducer_plus_query_duration_sec", "Time of calls of a reducer, until what they changed was handed to subscribers.", labelDB, "reducer"),
		fuel:     all.describe("counter", "reducer_wasmtime_fuel_used", "Energy that calls of a reducer used.", labelDB, "reducer"),
		wasmTime: all.describe("counter", "reducer_wasm_time_usec", "Microseconds spent in calls of a reducer.", labelDB, "reducer"),
		hostTime: all.describe("counter", "reducer_abi_time_usec", "Microseconds of them in functions of the host, by a sample of the calls.", labelDB, "reducer"),
		trip:     all.describe("histogram", "spacetime_request_round_trip_time", "Seconds from a request for a transaction to its end.", "txn_type", labelIdentity, "reducer_symbol"),
		traps:    all.describe("counter", "spacetime_worker_wasm_instance_errors_total", "Calls that crashed.", failed...),
		refusals: all.describe("counter", "spacetime_worker_sender_errors_total", "Calls that returned an error.", failed...),
		written:  all.describe("counter", "spacetime_num_bytes_written_total", "Bytes of the rows that transactions inserted.", "txn_type", labelDB),
		rows:     all.describe("counter", "spacetime_num_rows_scanned_total", "Rows that functions read.", "txn_type", labelDB),
		bytes:    all.describe("counter", "spacetime_num_bytes_scanned_total", "Bytes of these rows.", "txn_type", labelDB),
		seeks:    all.describe("counter", "spacetime_num_index_seeks_total", "How often functions read by an index.", "txn_type", labelDB),
		inserted: all.describe("counter", "spacetime_num_rows_inserted_total", "Rows inserted.", rows...),
		deleted:  all.describe("counter", "spacetime_num_rows_deleted_total", "Rows deleted.", rows...),
		indexed:  all.describe("counter", "spacetime_num_index_rows_inserted_total", "Entries that indexes got.", rows...),
		dropped:  all.describe("counter", "spacetime_num_index_rows_deleted_total", "Entries that indexes lost.", rows...),
	}
}

// Describe sends nothing: the series are known only when they are collected.
func (c *hostCollector) Describe(chan<- *prometheus.Desc) {}

// A sink sends series to a registry.
type sink chan<- prometheus.Metric

func (out sink) gauge(d *prometheus.Desc, v float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (out sink) counter(d *prometheus.Desc, v float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
}

// histogram sends durations, in seconds.
func (out sink) histogram(d *prometheus.Desc, h *host.Histogram, labels ...string) {
	buckets := map[float64]uint64{}
	var n uint64
	for i, count := range h.Counts {
		n += count
		if i < len(h.Bounds) {
			buckets[h.Bounds[i].Seconds()] = n
		}
	}
	out <- prometheus.MustNewConstHistogram(d, n, h.Sum.Seconds(), buckets, labels...)
}

// Collect sends the series of all running databases.
func (c *hostCollector) Collect(ch chan<- prometheus.Metric) {
	out := sink(ch)
	for _, db := range c.from.Stats() {
		id := db.Identity.String()
		for _, s := range c.database {
			out <- prometheus.MustNewConstMetric(s.desc, s.kind, s.of(&db), id)
		}
		c.calls.collect(out, &db, id)
		c.sent.collect(out, &db, id)
		c.tables.collect(out, &db, id)
		for _, v := range db.Views {
			out.counter(c.views.calls, float64(v.Count), id, v.View)
			out.counter(c.views.time, float64(v.Time.Microseconds()), id, v.View)
			out.counter(c.views.total, float64(v.Time.Microseconds()), id, v.View)
		}
		for fn, h := range db.Delays {
			out.histogram(c.delay, &h, id, fn)
		}
		for i := range db.QueryKinds {
			k := &db.QueryKinds[i]
			out.counter(c.queries.evaluated, float64(k.Evaluated), id, k.Kind)
			out.histogram(c.queries.compile, &k.Compile, id, k.Kind)
			out.histogram(c.queries.wait, &k.Wait, id, k.Kind)
			out.histogram(c.calls.trip, &k.Trip, k.Kind, id, "")
		}
		for i := range db.Outboxes.Tables {
			t := &db.Outboxes.Tables[i]
			out.counter(c.outboxes.attempts, float64(t.Attempts), id, t.Table)
			out.counter(c.outboxes.failures, float64(t.Failures), id, t.Table)
			out.counter(c.outboxes.retries, float64(t.Retries), id, t.Table)
			out.counter(c.outboxes.callbacks, float64(t.CallbackFailures), id, t.Table)
			out.histogram(c.outboxes.duration, &t.Duration, id, t.Table)
		}
		out.histogram(c.created, &db.MadeInstances, id, moduleType(&db))
		out.gauge(c.instances, float64(db.ModuleInstances), id, moduleType(&db))
		out.histogram(c.checkpoint, &db.Snapshots, id)
	}
}

func moduleType(db *host.Stats) string {
	if db.JS {
		return "Js"
	}
	return "Wasm"
}

func (f *functionSeries) collect(out sink, db *host.Stats, id string) {
	for _, t := range db.Transactions {
		labels := []string{t.Kind, id, t.Reducer, strconv.FormatBool(t.Committed)}
		out.counter(f.txns, float64(t.Count), labels...)
		out.counter(f.txnTime, t.Time.Seconds(), labels...)
	}
	sums := map[string][4]uint64{}
	for i := range db.Functions {
		s := &db.Functions[i]
		sum := sums[s.Kind]
		for k, n := range []uint64{s.Bytes, s.Scans.Rows, s.Scans.Bytes, s.Scans.Seeks} {
			sum[k] += n
		}
		sums[s.Kind] = sum
		if s.CPU.Sum > 0 {
			out.histogram(f.elapsed, &s.Elapsed, s.Kind, id, s.Function)
			out.histogram(f.cpu, &s.CPU, s.Kind, id, s.Function)
		}
		for _, t := range s.Tables {
			labels := []string{s.Kind, id, s.Function, strconv.FormatUint(uint64(t.Table.ID), 10), t.Table.Name}
			out.counter(f.inserted, float64(t.Inserted), labels...)
			out.counter(f.deleted, float64(t.Deleted), labels...)
			out.counter(f.indexed, float64(t.IndexInserted), labels...)
			out.counter(f.dropped, float64(t.IndexDeleted), labels...)
		}
		if s.Kind != "Reducer" {
			continue
		}
		out.histogram(f.wait, &s.Wait, id, s.Function)
		out.histogram(f.whole, &s.Whole, id, s.Function)
		out.histogram(f.trip, &s.Trip, s.Kind, id, s.Function)
		out.counter(f.hostTime, float64(s.HostTime/time.Microsecond), id, s.Function)
		out.counter(f.fuel, float64(s.Fuel), id, s.Function)
		out.counter(f.wasmTime, float64(s.CPU.Sum/time.Microsecond), id, s.Function)
		out.counter(f.traps, float64(s.Traps), id, db.Program.String(), s.Function)
		out.counter(f.refusals, float64(s.Refusals), id, db.Program.String(), s.Function)
	}
	for kind, sum := range sums {
		for k, desc := range []*prometheus.Desc{f.written, f.rows, f.bytes, f.seeks} {
			out.counter(desc, float64(sum[k]), kind, id)
		}
	}
}

func (t *sentSeries) collect(out sink, db *host.Stats, id string) {
	for _, s := range db.Sent {
		out.counter(t.bytes, float64(s.Bytes), s.Kind, id)
	}
	buckets := map[float64]uint64{}
	var n uint64
	for i, count := range db.SentRows.Counts {
		n += count
		if i < len(db.SentRows.Bounds) {
			buckets[float64(db.SentRows.Bounds[i])] = n
		}
	}
	out <- prometheus.MustNewConstHistogram(t.rows, n, float64(db.SentRows.Sum), buckets, id)
	out.histogram(t.serialize, &db.Serialize, id)
}

func (t *tableSeries) collect(out sink, db *host.Stats, id string) {
	var blobs, blobBytes uint64
	for _, s := range db.Tables {
		blobs, blobBytes = blobs+s.Large, blobBytes+s.LargeBytes
		name := s.Table.Name
		labels := []string{id, strconv.FormatUint(uint64(s.Table.ID), 10), name}
		out.gauge(t.rows, float64(s.Rows), labels...)
		out.gauge(t.bytes, float64(s.Bytes), labels...)
		out.gauge(t.dataRows, float64(s.Rows), id, name)
		out.gauge(t.dataBytes, float64(s.Bytes-s.IndexBytes), id, name)
		out.gauge(t.keys, float64(s.IndexBytes), id, name)
		out.gauge(t.entries, float64(s.Rows)*float64(len(s.Table.Indexes)), id, name)
	}
	out.gauge(t.blobs, float64(blobs), id)
	out.gauge(t.blobBytes, float64(blobBytes), id)
}

// A sessionCollector sums up what waits in the queues of all sessions.
type sessionCollector struct {
	all                      *sessions
	incoming, outgoing, send *prometheus.Desc
}

func newSessionCollector(all *sessions, f *families) *sessionCollector {
	return &sessionCollector{
		all:      all,
		incoming: f.describe("gauge", "spacetime_total_incoming_queue_length", "Messages from clients that wait.", labelDB),
		outgoing: f.describe("gauge", "spacetime_total_outgoing_queue_length", "Messages to clients that wait.", labelDB),
		send:     f.describe("gauge", "spacetime_subscription_send_queue_length", "The same: messages of subscriptions wait where others do.", labelIdentity),
	}
}

// Describe sends nothing: the series are known only when they are collected.
func (c *sessionCollector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the sums of every database with sessions.
func (c *sessionCollector) Collect(ch chan<- prometheus.Metric) {
	out := sink(ch)
	for id, n := range c.all.waiting() {
		out.gauge(c.incoming, float64(n.incoming), id.String())
		out.gauge(c.outgoing, float64(n.outgoing), id.String())
		out.gauge(c.send, float64(n.outgoing), id.String())
	}
}
