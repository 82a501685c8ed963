package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/sats"
)

// exposition reads the Prometheus text format: series by name, with their labels,
// and the type of each family.
func exposition(t *testing.T, text string) (series map[string][]map[string]string, types map[string]string) {
	t.Helper()
	series, types = map[string][]map[string]string{}, map[string]string{}
	line := regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$`)
	label := regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)`)
	for l := range strings.Lines(text) {
		l = strings.TrimSuffix(l, "\n")
		if name, ok := strings.CutPrefix(l, "# TYPE "); ok {
			name, kind, _ := strings.Cut(name, " ")
			if types[name] != "" {
				t.Errorf("%s is described twice", name)
			}
			types[name] = kind
			continue
		}
		if strings.HasPrefix(l, "# HELP ") {
			continue
		}
		m := line.FindStringSubmatch(l)
		if m == nil {
			t.Errorf("not a line of the format: %q", l)
			continue
		}
		if _, err := strconv.ParseFloat(m[3], 64); err != nil {
			t.Errorf("%q: %v", l, err)
		}
		labels, rest := map[string]string{}, m[2]
		for rest != "" {
			at := label.FindStringSubmatchIndex(rest)
			if at == nil || at[0] != 0 {
				t.Fatalf("labels %q", m[2])
			}
			labels[rest[at[2]:at[3]]] = rest[at[4]:at[5]]
			rest = rest[at[1]:]
		}
		series[m[1]] = append(series[m[1]], labels)
	}
	return series, types
}

// documented reads the table of spec 06 §8: labels by the name of the metric.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	b, err := os.ReadFile("../../docs/spec/06-http-auth.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(b), "\n## 8. Metrics worth keeping\n")
	text, _, ok := strings.Cut(text, "\n## 9. ")
	if !ok {
		t.Fatal("there is no section 8")
	}
	// Names that the table abbreviates.
	whole := map[string]string{
		"…_aborted": "spacetime_worker_ws_clients_aborted", "…_closed_connection": "spacetime_worker_ws_clients_closed_connection",
		"…_bytes_used_by_rows":                      "spacetime_data_size_table_bytes_used_by_rows",
		"…_table_num_rows_in_indexes":               "spacetime_data_size_table_num_rows_in_indexes",
		"…_table_bytes_used_by_index_keys":          "spacetime_data_size_table_bytes_used_by_index_keys",
		"…_num_successful_…":                        "spacetime_procedure_num_successful_http_requests",
		"…_num_failed_…":                            "spacetime_procedure_num_failed_http_requests",
		"…_num_timeout_…":                           "spacetime_procedure_num_timeout_http_requests",
		"spacetime_data_size":                       "",
		"spacetime_procedure_num_<x>_http_requests": "",
	}
	word := regexp.MustCompile("`([^`]+)`")
	all := map[string][]string{}
	for l := range strings.Lines(text) {
		cells := strings.Split(l, "|")
		if len(cells) != 5 || !strings.Contains(cells[1], "`") {
			continue
		}
		var labels []string
		for _, m := range word.FindAllStringSubmatch(cells[3], -1) {
			labels = append(labels, m[1])
		}
		for _, m := range word.FindAllStringSubmatch(cells[1], -1) {
			name, abbreviated := whole[m[1]]
			if !abbreviated {
				name = m[1]
			}
			if name != "" {
				all[name] = labels
			}
		}
	}
	if len(all) < 80 {
		t.Fatalf("only %d metrics were found in the table", len(all))
	}
	return all
}

// The metrics of the chapter are exported, with its labels.
func TestMetricsOfTheChapter(t *testing.T) {
	r := newRig(t)
	exported := map[string][]string{}
	for _, f := range r.metrics.families {
		exported[f.name] = f.labels
	}
	for name, labels := range documented(t) {
		got, ok := exported[name]
		switch {
		case !ok:
			t.Errorf("%s {%s} is not exported", name, strings.Join(labels, ", "))
		case !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(labels))):
			t.Errorf("%s has the labels %v, want %v", name, got, labels)
		}
	}
}

// A running server exports what it says it does, in the format, and counts.
func TestMetricsOfARunningServer(t *testing.T) {
	defer client.CloseIdleConnections()
	r := started(t, runOptions(t.TempDir(), io.Discard))
	defer func() {
		if err := r.Shutdown(); err != nil {
			t.Error(err)
		}
	}()
	var id struct{ Identity, Token string }
	if err := json.Unmarshal([]byte(r.want(t, "POST", "/v1/identity", "", "", 200, "token")), &id); err != nil {
		t.Fatal(err)
	}
	r.want(t, "PUT", "/v1/database/kettle", id.Token, kettle(t), 200, `"op":"created"`)
	for range 3 {
		r.want(t, "POST", "/v1/database/kettle/call/pour", id.Token, `[{"some":"mint"}]`, 200, "")
	}
	r.want(t, "POST", "/v1/database/kettle/sql", id.Token, "SELECT * FROM cup", 200, `"rows":[[`)
	text := r.want(t, "GET", "/metrics", "", "", 200, "go_goroutines")
	series, types := exposition(t, text)
	labels := map[string][]string{}
	kinds := map[string]string{}
	for _, f := range r.server.metrics.families {
		labels[f.name], kinds[f.name] = f.labels, f.kind
	}
	for name, kind := range types {
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
			continue
		}
		if kinds[name] != kind {
			t.Errorf("%s is a %s, and described as a %q", name, kind, kinds[name])
		}
		sample := name
		if kind == "histogram" {
			sample += "_count"
		}
		for _, got := range series[sample] {
			var names []string
			for l := range got {
				names = append(names, l)
			}
			slices.Sort(names)
			if want := slices.Sorted(slices.Values(labels[name])); !slices.Equal(names, want) {
				t.Errorf("%s has the labels %v, want %v", name, names, want)
			}
		}
	}
	value := func(line string) string {
		for l := range strings.Lines(text) {
			if rest, ok := strings.CutPrefix(l, line+" "); ok {
				return strings.TrimSpace(rest)
			}
		}
		return "absent"
	}
	db := regexp.MustCompile(`spacetime_replay_total_time_seconds\{db="([0-9a-f]{64})"\}`).FindStringSubmatch(text)
	if db == nil {
		t.Fatalf("no database in\n%s", text)
	}
	for line, want := range map[string]string{
		fmt.Sprintf(`spacetime_num_txns_total{committed="true",db="%s",reducer="pour",txn_type="Reducer"}`, db[1]):                                 "3",
		fmt.Sprintf(`spacetime_num_txns_total{committed="true",db="%s",reducer="",txn_type="Sql"}`, db[1]):                                         "1",
		fmt.Sprintf(`spacetime_reducer_wait_time_sec_count{db="%s",reducer="pour"}`, db[1]):                                                        "3",
		fmt.Sprintf(`spacetime_reducer_wait_time_sec_bucket{db="%s",reducer="pour",le="+Inf"}`, db[1]):                                             "3",
		fmt.Sprintf(`spacetime_txn_elapsed_time_sec_count{db="%s",reducer="pour",txn_type="Reducer"}`, db[1]):                                      "3",
		fmt.Sprintf(`spacetime_reducer_plus_query_duration_sec_count{db="%s",reducer="pour"}`, db[1]):                                              "3",
		fmt.Sprintf(`spacetime_worker_sender_errors_total{database_identity="%s",module_hash="%s",reducer_symbol="pour"}`, db[1], hashOf(t, text)): "0",
		fmt.Sprintf(`spacetime_module_host_init_attempts_total{database_identity="%s"}`, db[1]):                                                    "1",
		fmt.Sprintf(`spacetime_module_instances{database_identity="%s",module_type="Wasm"}`, db[1]):                                                "1",
		fmt.Sprintf(`spacetime_scheduler_active_scheduled_functions{db="%s"}`, db[1]):                                                              "0",
		fmt.Sprintf(`spacetime_message_log_size_blocks{db="%s"}`, db[1]):                                                                           "1",

		fmt.Sprintf(`spacetime_request_round_trip_time_count{database_identity="%s",reducer_symbol="pour",txn_type="Reducer"}`, db[1]): "3",
		fmt.Sprintf(`spacetime_data_size_blob_store_num_blobs{db="%s"}`, db[1]):                                                        "1", // the program
	} {
		if got := value(line); got != want {
			t.Errorf("%s is %s, want %s", line, got, want)
		}
	}
	for _, line := range []string{
		fmt.Sprintf(`reducer_abi_time_usec{db="%s",reducer="pour"}`, db[1]),
		fmt.Sprintf(`spacetime_data_size_table_bytes_used_by_index_keys{db="%s",table_name="cup"}`, db[1]),
	} {
		if n, err := strconv.ParseFloat(value(line), 64); err != nil || n <= 0 {
			t.Errorf("%s is %s", line, value(line))
		}
	}
	rows := 0
	for _, l := range series["spacetime_num_rows_inserted_total"] {
		if l["txn_type"] == "Reducer" && l["reducer_or_query"] == "pour" && l["table_name"] == "cup" {
			rows++
		}
	}
	if rows != 1 || !regexp.MustCompile(`spacetime_num_rows_inserted_total\{db="[0-9a-f]+",reducer_or_query="pour",table_id="\d+",table_name="cup",txn_type="Reducer"\} 3\n`).MatchString(text) {
		t.Errorf("rows inserted by pour: %v", series["spacetime_num_rows_inserted_total"])
	}
}

// hashOf is the hash of the program in the labels of a series.
func hashOf(t *testing.T, text string) string {
	t.Helper()
	m := regexp.MustCompile(`module_hash="([0-9a-f]{64})"`).FindStringSubmatch(text)
	if m == nil {
		t.Fatal("no module_hash")
	}
	return m[1]
}

// The table of metrics in docs/operations.md is what is exported.
func TestDocumentedMetrics(t *testing.T) {
	r := newRig(t)
	var lines []string
	for _, f := range r.metrics.families {
		var labels []string
		for _, l := range f.labels {
			labels = append(labels, "`"+l+"`")
		}
		lines = append(lines, fmt.Sprintf("| `%s` | %s | %s | %s |", f.name, f.kind, strings.Join(labels, ", "), f.help))
	}
	slices.Sort(lines)
	want := "| metric | kind | labels | |\n| --- | --- | --- | --- |\n" + strings.Join(lines, "\n")
	if got := docsSection(t, "metrics"); got != want {
		t.Errorf("docs/operations.md, metrics; it should be:\n%s", want)
	}
}

// What functions read and clients ask is counted.
func TestMetricsCount(t *testing.T) {
	r := newRealRig(t)
	r.must(newDefinition().table("item", columns(sats.E("n", sats.U32))).reducer("put", sats.E("n", sats.U32)).reducer("look").reducer("refuse"))
	r.engine.on("put", insertArgs("item"))
	r.engine.on("look", func(c *abi.ReducerCall, s abi.Services) error {
		x := abiCall(c, s)
		defer x.End()
		id, e := x.TableIDFromName("item")
		if e != abi.OK {
			return fmt.Errorf("table: %v", e)
		}
		it, e := x.TableScan(id)
		if e != abi.OK || x.IterClose(it) != abi.OK {
			return fmt.Errorf("scan: %v", e)
		}
		return nil
	})
	r.engine.on("refuse", func(*abi.ReducerCall, abi.Services) error { return errors.New("no") })
	p := r.dial(r.bob, "", "v1.json")
	p.next() // the identity token
	p.write(websocket.MessageText, []byte(`{"Subscribe":{"query_strings":["SELECT * FROM item","SELECT * FROM item WHERE n = 99"],"request_id":1}}`))
	p.next()
	for i := range 3 {
		r.call("put", fmt.Sprintf("[%d]", i))
		p.next()
	}
	r.call("look", "[]")
	if a := r.do("POST", "/v1/database/db/call/refuse", r.alice, "[]", jsonHeader); a.status != 530 {
		t.Errorf("refuse: %d", a.status)
	}
	// A client may read a message before it is counted.
	eventually(t, "the messages are counted", func() bool {
		return strings.Contains(r.do("GET", "/metrics", "", "").body, `spacetime_websocket_sent_num_rows_count{db="`+r.id+"\"} 4\n")
	})
	text := r.do("GET", "/metrics", "", "").body
	for line, want := range map[string]string{
		`spacetime_num_rows_scanned_total{db="DB",txn_type="Reducer"}`:                                                           "3",
		`spacetime_num_bytes_scanned_total{db="DB",txn_type="Reducer"}`:                                                          "12",
		`spacetime_num_rows_inserted_total{db="DB",reducer_or_query="put",table_id="4096",table_name="item",txn_type="Reducer"}`: "3",
		`spacetime_num_bytes_written_total{db="DB",txn_type="Reducer"}`:                                                          "12",
		`spacetime_num_queries_subscribed{db="DB"}`:                                                                              "2",
		`spacetime_num_new_queries_subscribed{db="DB"}`:                                                                          "2",
		`spacetime_num_queries_evaluated{db="DB",workload="Subscribe"}`:                                                          "2",
		`spacetime_num_delta_queries_evaluated{db="DB"}`:                                                                         "3",
		`spacetime_num_delta_queries_matched{db="DB"}`:                                                                           "3",
		`spacetime_query_subscriptions{database_identity="DB"}`:                                                                  "2",
		`spacetime_legacy_subscriptions{database_identity="DB"}`:                                                                 "2",
		`spacetime_subscription_sets{database_identity="DB"}`:                                                                    "0",
		`spacetime_active_queries{database_identity="DB"}`:                                                                       "2",
		`spacetime_subscription_compile_time_sec_count{db="DB",workload="Subscribe"}`:                                            "2",
		`spacetime_num_txns_total{committed="true",db="DB",reducer="",txn_type="Subscribe"}`:                                     "1",
		`spacetime_worker_sender_errors_total{database_identity="DB",module_hash="HASH",reducer_symbol="refuse"}`:                "1",
		`spacetime_worker_wasm_instance_errors_total{database_identity="DB",module_hash="HASH",reducer_symbol="refuse"}`:         "0",
		`spacetime_websocket_sent_num_rows_sum{db="DB"}`:                                                                         "3",
		`spacetime_websocket_sent_num_rows_bucket{db="DB",le="5"}`:                                                               "4",
		`spacetime_websocket_serialize_secs_count{db="DB"}`:                                                                      "1",
		`spacetime_num_duplicate_rows_sent{db="DB"}`:                                                                             "0",
		`spacetime_request_round_trip_time_count{database_identity="DB",reducer_symbol="",txn_type="Subscribe"}`:                 "1",
		`spacetime_request_round_trip_time_count{database_identity="DB",reducer_symbol="refuse",txn_type="Reducer"}`:             "1",
		`spacetime_num_bytes_sent_to_clients_total{db="DB",txn_type="Procedure"}`:                                                "0",
	} {
		line = strings.NewReplacer("DB", r.id, "HASH", hashOf(t, text)).Replace(line)
		if !strings.Contains(text, "\n"+line+" "+want+"\n") {
			_, rest, _ := strings.Cut(text, line)
			t.Errorf("%s: want %s, got %.20q", line, want, rest)
		}
	}
	for _, kind := range []string{"Subscribe", "Reducer"} {
		if line := `spacetime_num_bytes_sent_to_clients_total{db="` + r.id + `",txn_type="` + kind + `"} 0`; strings.Contains(text, line) {
			t.Errorf("%s", line)
		}
	}
}
