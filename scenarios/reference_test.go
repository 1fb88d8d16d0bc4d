package scenarios

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"simrun/faults"
	"simrun/scenarios/workload"
	"simrun/sim/history"
	"simrun/sim/plan"
)

var rewriteReference = flag.Bool("rewrite", false, "write the tables of docs/plans.md, history.md and verdict.md anew")

// blocks are the parts of the documents that are made from the code: a block stands
// between <!-- from NAME --> and <!-- end -->.
func blocks(t *testing.T) map[string]string {
	p := plan.Default()
	return map[string]string{
		"plan.Plan":            fieldTable(t, "../sim/plan", "toml", p, planColumn),
		"plan.String":          "```toml\n" + examplePlan(t) + "```\n",
		"plan.Cluster":         fieldTable(t, "../sim/plan", "toml", p.Cluster, planColumn),
		"plan.Workload":        fieldTable(t, "../sim/plan", "toml", p.Workload, planColumn),
		"plan.Phases":          fieldTable(t, "../sim/plan", "toml", p.Phases, planColumn),
		"plan.Knobs":           fieldTable(t, "../sim/plan", "toml", p.Knobs, planColumn, readersColumn),
		"plan.Scheduling":      fieldTable(t, "../sim/plan", "toml", p.Scheduling, planColumn),
		"plan.Network":         fieldTable(t, "../sim/plan", "toml", p.Network, planColumn),
		"plan.Disk":            fieldTable(t, "../sim/plan", "toml", p.Disk, planColumn),
		"plan.Clocks":          fieldTable(t, "../sim/plan", "toml", p.Clocks, planColumn),
		"plan.Limits":          fieldTable(t, "../sim/plan", "toml", p.Limits, planColumn),
		"faults.Kind":          faultKinds(t),
		"faults.TargetKind":    faultTargets(t),
		"faults.StormConfig":   fieldTable(t, "../faults", "toml", faults.StormConfig{}),
		"scenarios.Scenario":   fieldTable(t, ".", "toml", Scenario{}),
		"scenarios.Cluster":    fieldTable(t, ".", "toml", Cluster{}),
		"scenarios.Workload":   fieldTable(t, ".", "toml", Workload{}),
		"scenarios.Knobs":      drawnTable(t),
		"scenarios.Scheduling": strings.Join(quotedNames(plan.FieldNames(reflect.TypeFor[Scheduling]())), ", ") + ".\n",
		"history.Header":       fieldTable(t, "../sim/history", "json", history.Header{}),
		"history.Bank":         fieldTable(t, "../sim/history", "json", history.Bank{}),
		"history.Op":           fieldTable(t, "../sim/history", "json", history.Op{}),
		"history.TxnRecord":    fieldTable(t, "../sim/history", "json", history.TxnRecord{}),
		"history.Statement":    fieldTable(t, "../sim/history", "json", history.Statement{}),
		"history.TxnOp":        fieldTable(t, "../sim/history", "json", history.TxnOp{}),
		"history.Pair":         fieldTable(t, "../sim/history", "json", history.Pair{}),
		"verdict.Anomaly":      anomalyTable(t),
	}
}

// Goal: the reference is complete and as the code is. Its tables are made from the
// fields, their comments and what they are by default, and from the anomalies that
// checkers name; after a change,
//
//	go test ./scenarios -run TestReference -args -rewrite
//
// writes them anew.
func TestReference(t *testing.T) {
	made := blocks(t)
	unused := maps.Clone(made)
	block := regexp.MustCompile(`(?s)(<!-- from (\S+) -->\n\n)(.*?)(\n<!-- end -->)`)
	for _, name := range []string{"plans.md", "history.md", "verdict.md"} {
		file := filepath.Join("..", "docs", name)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		is := block.ReplaceAllStringFunc(string(text), func(found string) string {
			m := block.FindStringSubmatch(found)
			content, ok := made[m[2]]
			if !ok {
				t.Errorf("%s has a block from %s, of which nothing is known here", name, m[2])
			}
			delete(unused, m[2])
			return m[1] + content + m[4]
		})
		if is == string(text) {
			continue
		}
		if !*rewriteReference {
			t.Errorf("docs/%s is not as the code is: go test ./scenarios -run TestReference -args -rewrite", name)
			continue
		}
		if err := os.WriteFile(file, []byte(is), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name := range unused {
		t.Errorf("no document has the block from %s", name)
	}
}

// Goal: what the reference shows as an example is what it says: plans, scenarios, SQL
// and faults are read by those who read them from users.
func TestReferenceExamples(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "plans.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]int{}
	for _, m := range regexp.MustCompile("(?s)```(\\w+)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		language, example := m[1], m[2]
		switch {
		case language == "toml" && strings.HasPrefix(example, "version"):
			language = "plan"
			_, err = plan.Parse("docs/plans.md", example)
		case language == "toml":
			language = "scenario"
			var s *Scenario
			if s, err = Parse("docs/plans.md", []byte(example)); err == nil {
				p := s.Plan(7)
				err = p.Validate()
			}
		case language == "sql":
			err = workload.Check(&plan.Workload{Name: "sql", SQL: example}, plan.Txn)
		}
		if err != nil {
			t.Error(err)
		}
		shown[language]++
	}
	for _, m := range regexp.MustCompile("(?m)^    (at .*)$").FindAllStringSubmatch(string(text), -1) {
		if _, err := faults.Parse(m[1]); err != nil {
			t.Error(err)
		}
		shown["fault"]++
	}
	for _, language := range []string{"plan", "scenario", "sql", "fault"} {
		if shown[language] == 0 {
			t.Errorf("there is no example of a %s", language)
		}
	}
}

// column is what a table says of a field besides its name and meaning.
type column struct {
	title string
	cell  func(name string, value reflect.Value) string
}

var (
	planColumn    = column{"default", func(_ string, v reflect.Value) string { return "`" + tomlValue(v) + "`" }}
	readersColumn = column{"read in api", func(name string, _ reflect.Value) string {
		var apis []string
		for _, api := range []plan.API{plan.Raw, plan.Txn, plan.Raft} {
			if reads(api, name) {
				apis = append(apis, string(api))
			}
		}
		return strings.Join(apis, ", ")
	}}
)

// fieldTable is a table of the fields of a struct that have a name in text, those that
// share a comment in one row. What is a table itself has one of its own.
func fieldTable(t *testing.T, dir, tag string, of any, columns ...column) string {
	value := reflect.ValueOf(of)
	source := parseSource(t, dir)
	var b strings.Builder
	b.WriteString("| name | type |")
	for _, c := range columns {
		b.WriteString(" " + c.title + " |")
	}
	b.WriteString(" meaning |\n|---|---|" + strings.Repeat("---|", len(columns)) + "---|\n")
	for _, group := range source.groups(t, value.Type(), tag) {
		cells := make([][]string, 2+len(columns))
		for _, f := range group.fields {
			v := value.FieldByName(f.field)
			cells[0] = append(cells[0], "`"+f.name+"`")
			cells[1] = append(cells[1], typeName(v.Type()))
			for i, c := range columns {
				cells[2+i] = append(cells[2+i], c.cell(f.name, v))
			}
		}
		for _, c := range cells {
			if len(slices.Compact(slices.Clone(c))) == 1 {
				c = c[:1]
			}
			b.WriteString("| " + strings.Join(c, "<br>") + " ")
		}
		b.WriteString("| " + group.meaning + " |\n")
	}
	return b.String()
}

// typeName is what a user writes for a Go type.
func typeName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[plan.Duration]():
		return "duration"
	case t == reflect.TypeFor[Range]():
		return "range"
	case t == reflect.TypeFor[Span]():
		return "range of durations"
	case t == reflect.TypeFor[faults.Kind]():
		return "text"
	case t == reflect.TypeFor[history.Op]():
		return "object"
	}
	switch t.Kind() { //nolint:exhaustive // the others are in no file
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "text"
	case reflect.Slice:
		return "list of " + typeName(t.Elem())
	case reflect.Map:
		return "table of " + typeName(t.Elem())
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Struct:
		return "object"
	}
	return "number"
}

// tomlValue is a value as a plan has it.
func tomlValue(v reflect.Value) string {
	switch {
	case v.Type() == reflect.TypeFor[plan.Duration]():
		return fmt.Sprintf("'%v'", v.Interface())
	case v.Kind() == reflect.String:
		return "'" + v.String() + "'"
	case v.Kind() == reflect.Slice:
		return "[]"
	case v.Kind() == reflect.Map:
		return "{}"
	}
	return fmt.Sprint(v.Interface())
}

// drawnTable tells what scenarios draw for plans. Which field of a plan a list is for is
// found by drawing from a list of a value that no plan has by default.
func drawnTable(t *testing.T) string {
	var b strings.Builder
	b.WriteString("| list | of | drawn for |\n|---|---|---|\n")
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Knobs]()) {
		name := f.Tag.Get("toml")
		var to []string
		for _, text := range []string{"7777", "7777ms", "true", "false", "seeded", "mixed", "deaf"} {
			s := Scenario{Cluster: Cluster{API: plan.Txn}}
			if s.Fix(name, text) != nil {
				continue
			}
			p := plan.Default()
			s.tune(&p, generator{1})
			if to = changed(&p); len(to) > 0 {
				break
			}
		}
		if len(to) == 0 {
			t.Errorf("nothing is drawn from %s", name)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, typeName(f.Type.Elem()), strings.Join(quotedNames(to), ", "))
	}
	return b.String()
}

// changed are the fields of a plan that are not as they are by default.
func changed(p *plan.Plan) (names []string) {
	byDefault := plan.Default()
	for _, table := range []struct {
		name    string
		is, was any
	}{
		{"phases", &p.Phases, &byDefault.Phases},
		{"knobs", &p.Knobs, &byDefault.Knobs},
		{"network", &p.Network, &byDefault.Network},
		{"disk", &p.Disk, &byDefault.Disk},
		{"clocks", &p.Clocks, &byDefault.Clocks},
	} {
		for _, name := range plan.FieldNames(reflect.TypeOf(table.is).Elem()) {
			if plan.Field(table.is, name).Interface() != plan.Field(table.was, name).Interface() {
				names = append(names, table.name+"."+name)
			}
		}
	}
	return names
}

func quotedNames(names []string) []string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = "`" + name + "`"
	}
	return quoted
}

// examplePlan is a plan with a schedule.
func examplePlan(t *testing.T) string {
	p := plan.Default()
	for _, line := range []string{
		"at 500ms partition store1 | store2,store3 for 800ms",
		"at 2s power-loss leader(acct/0003) for 300ms",
	} {
		f, err := faults.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		p.Faults = append(p.Faults, f)
	}
	return p.String()
}

// faultKinds tells every kind with what it is and the examples of the package's
// documentation.
func faultKinds(t *testing.T) string {
	source := parseSource(t, "../faults")
	examples := map[faults.Kind][]string{}
	for _, m := range regexp.MustCompile(`(?m)^\t(at .*)$`).FindAllStringSubmatch(source.doc, -1) {
		f, err := faults.Parse(m[1])
		if err != nil {
			t.Fatal(err)
		}
		examples[f.Kind] = append(examples[f.Kind], m[1])
	}
	meanings := source.constants["Kind"]
	if len(meanings) != len(faults.Kinds()) {
		t.Fatalf("%d kinds of faults have a meaning, of %d", len(meanings), len(faults.Kinds()))
	}
	var b strings.Builder
	for i, k := range faults.Kinds() {
		lasts := "it lasts"
		if k.Momentary() {
			lasts = "an instant"
		}
		fmt.Fprintf(&b, "`%s` (%s): %s.\n\n", k, lasts, meanings[i])
		if len(examples[k]) == 0 {
			t.Errorf("%v has no example", k)
		}
		for _, line := range examples[k] {
			b.WriteString("    " + line + "\n")
		}
		b.WriteString("\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// faultTargets tells every way to name nodes.
func faultTargets(t *testing.T) string {
	meanings := parseSource(t, "../faults").constants["TargetKind"]
	var b strings.Builder
	b.WriteString("| target | whom it means |\n|---|---|\n")
	for i, meaning := range meanings {
		name := faults.TargetKind(i + 1).String()
		switch kind := faults.TargetKind(i + 1); kind { //nolint:exhaustive // the others are their own names
		case faults.TargetNode:
			name = "store1"
		case faults.TargetLeader, faults.TargetFollower:
			name += "(KEY)"
		}
		if _, err := faults.Parse("at 1s kill " + strings.Replace(name, "KEY", "k1", 1)); err != nil {
			t.Error(err)
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, meaning)
	}
	if len(meanings) != int(faults.TargetMergeTarget) {
		t.Errorf("%d kinds of targets have a meaning, of %d", len(meanings), faults.TargetMergeTarget)
	}
	return b.String()
}
