package schema

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
)

func TestExportVectors(t *testing.T) {
	spec.Covers(t, "02.48")
	m := valid(t, "v10_chat_ts2.10.1")
	for version, export := range map[string]func() ([]byte, error){"v9": m.ExportV9, "v10": m.ExportV10} {
		got, err := export()
		if err != nil {
			t.Fatal(err)
		}
		if want := compactJSON(t, "moduledef_v10_chat_ts2.10.1.schema_"+version+".json"); string(got) != want {
			t.Errorf("%s:\n%s\nwant\n%s", version, got, want)
		}
	}
}

// Every vector can be exported in both forms, and the sections that must or
// must not be there are as they should be.
func TestExportSections(t *testing.T) {
	spec.Covers(t, "02.49", "02.50")
	for _, name := range vectorNames(t) {
		m := valid(t, name)
		b, _ := m.ExportV10()
		var got struct{ Sections []map[string]json.RawMessage }
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		have := map[string]bool{}
		for _, s := range got.Sections {
			for k := range s {
				have[k] = true
			}
		}
		if have["CaseConversionPolicy"] || !have["Typespace"] || !have["ExplicitNames"] {
			t.Errorf("%s: sections %v", name, have)
		}
		if b, _ = m.ExportV9(); !json.Valid(b) {
			t.Errorf("%s: V9 export is no JSON: %s", name, b)
		}
	}
	b, _ := valid(t, "v10_full_ts2.10.1").ExportV10()
	for _, want := range []string{
		`"default_values":[{"col_id":3,"value":"fbffffffffffffff"}]`, // bytes as hex
		`"start":{"none":[]}`,
		`"source_name":{"some":"playerScore_level_bestScore_idx_btree"}`,
		`{"Namespace":`,
	} {
		if strings.Contains(string(b), want) == (want == `{"Namespace":`) {
			t.Errorf("export: %q: present or absent against expectation in\n%s", want, b)
		}
	}
}
