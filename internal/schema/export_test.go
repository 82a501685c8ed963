package schema

import (
	"encoding/json"
	"slices"
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

// newerForm returns a definition as a host of version 2.14 exports it: with the
// policy None first and a name for everything (spec 02 §10.3).
func newerForm(m *ModuleDef) *RawV10 {
	out := m.ToV10()
	tables, functions := map[string]string{}, map[string]string{} // accessors by canonical name
	for _, d := range m.ownTables() {
		tables[d.Name] = d.Accessor
	}
	for _, r := range m.ownReducers() {
		functions[r.Name] = r.Accessor
	}
	for _, p := range m.ownProcedures() {
		functions[p.Name] = p.Accessor
	}
	for i := range out.Sections {
		switch s := &out.Sections[i]; s.Tag {
		case SecSchedules:
			for j := range s.Schedules {
				s.Schedules[j].Table = tables[s.Schedules[j].Table]
				s.Schedules[j].Function = functions[s.Schedules[j].Function]
			}
		case SecLifecycle:
			for j := range s.Lifecycle {
				s.Lifecycle[j].Function = functions[s.Lifecycle[j].Function]
			}
		case SecExplicitNames:
			for _, d := range m.ownTables() {
				for _, x := range d.Indexes {
					s.ExplicitNames = append(s.ExplicitNames, RawExplicitName{NameIndex, x.Accessor, x.Name})
				}
			}
			for _, h := range m.HTTPHandlers {
				s.ExplicitNames = append(s.ExplicitNames, RawExplicitName{NameFunction, h.Accessor, h.Name})
			}
			for _, sub := range m.Submodules {
				s.ExplicitNames = append(s.ExplicitNames, RawExplicitName{NameNamespace, sub.Accessor, sub.Namespace})
			}
		case SecSubmodules:
			for j, sub := range m.Submodules {
				s.Submodules[j].Module = newerForm(sub.Module)
			}
		}
	}
	out.Sections = append([]RawSection{{Tag: SecCasePolicy, CasePolicy: CaseNone}}, out.Sections...)
	return out
}

// Our export stays in the older form, which every published client reads: there a
// policy would be a lie, at any level. The newer form, which begins with one, is
// read: it validates to the same names.
func TestExportForms(t *testing.T) {
	spec.Covers(t, "02.77")
	for _, name := range vectorNames(t) {
		m := valid(t, name)
		export, err := m.ExportV10()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(export), "CaseConversionPolicy") {
			t.Errorf("%s: the export has a policy:\n%s", name, export)
		}
		newer := newerForm(m).AppendJSON(nil)
		if !strings.HasPrefix(string(newer), `{"sections":[{"CaseConversionPolicy":{"None":[]}},`) {
			t.Fatalf("%s: the newer form begins with %.80s", name, newer)
		}
		raw, err := ParseJSON(10, newer)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again, err := Validate(raw)
		if err != nil {
			t.Errorf("%s: the newer form does not validate: %v\n%s", name, err, newer)
			continue
		}
		got, _ := again.ExportV10()
		want := string(export)
		if m.Version < V10 { // where lifecycle reducers are not private
			open := strings.NewReplacer(`{"Private":[]},"ok_return_type"`, `{"ClientCallable":[]},"ok_return_type"`)
			got, want = []byte(open.Replace(string(got))), open.Replace(want)
		}
		if string(got) != want {
			t.Errorf("%s: after the newer form\n%s\nwant\n%s", name, got, want)
		}
		for _, d := range m.Tables {
			got, ok := again.Table(d.Name)
			for _, x := range d.Indexes {
				if !ok || !slices.ContainsFunc(got.Indexes, func(y IndexDef) bool { return y.Name == x.Name && y.Accessor == x.Accessor }) {
					t.Errorf("%s: index %s of %s is lost", name, x.Name, d.Name)
				}
			}
		}
	}
}

// What the schema vectors say is read back into the same module.
func TestExportVectorsAreRead(t *testing.T) {
	for generation, file := range map[int]string{9: "schema_v9", 10: "schema_v10"} {
		text := compactJSON(t, "moduledef_v10_chat_ts2.10.1."+file+".json")
		raw, err := ParseJSON(generation, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		m, err := Validate(raw)
		if err != nil {
			t.Fatal(err)
		}
		export := m.ExportV9
		if generation == 10 {
			export = m.ExportV10
		}
		if got, _ := export(); string(got) != text {
			t.Errorf("%s:\n%s\nwant\n%s", file, got, text)
		}
	}
}
