package scenarios

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"simrun/checker/verdict"
)

// anomalySources are the files in which checkers name anomalies of package verdict, and
// the checkers that do. A function that alone belongs to a checker has a line of its
// own.
var anomalySources = map[string]string{
	"checker/answers.go":                "answers",
	"checker/bank/bank.go":              "bank",
	"checker/consensus/checks.go":       "raft",
	"checker/consensus/config.go":       "raft",
	"checker/consensus/lives.go":        "raft",
	"checker/isolation/agreement.go":    "isolation",
	"checker/isolation/conflicts.go":    "isolation",
	"checker/isolation/cycles.go":       "cycles",
	"checker/isolation/explain.go":      "isolation",
	"checker/isolation/list.go":         "isolation",
	"checker/isolation/lost.go":         "cycles",
	"checker/isolation/newest_judge.go": "isolation",
	"checker/isolation/newest_lists.go": "isolation",
	"checker/isolation/newest_terms.go": "isolation",
	"checker/isolation/order.go":        "cycles",
	"checker/isolation/precedence.go":   "isolation",
	"checker/isolation/prefixes.go":     "isolation",
	"checker/isolation/reads.go":        "isolation",
	"checker/isolation/realtime.go":     "isolation",
	"checker/isolation/reigns.go":       "isolation",
	"checker/isolation/skew.go":         "cycles skew",
	"checker/isolation/statements.go":   "isolation",
	"checker/linear/explain.go":         "linear",
	"checker/state/acknowledged.go":     "acknowledged",
	"checker/state/directory.go":        "directory",
	"checker/state/dropped.go":          "index",
	"checker/state/garbage.go":          "mvcc",
	"checker/state/index.go":            "index",
	"checker/state/locks.go":            "mvcc",
	"checker/state/members.go":          "members",
	"checker/state/mvcc.go":             "mvcc",
	"checker/state/placement.go":        "placement",
	"checker/state/replicas.go":         "replicas",
	"checker/state/replicas.go Regions": "regions",
	"checker/state/replicas.go noStray": "regions",
	"checker/state/snapshots.go":        "snapshots",
	"checker/state/tablekey.go":         "index",
	"checker/timestamps/timestamps.go":  "timestamps",
	"scenarios/cluster/sizes.go":        "placement",
}

// runAnomalies are the anomalies that the run names itself, outside of package verdict.
var runAnomalies = []struct{ name, checkers, meaning string }{
	{"assertion", "assertion", "an invariant in the code is violated"},
	{"panic", "assertion", "the code panics"},
	{"exit", "assertion", "a process ends itself, and no fault explains it"},
	{"stuck", "liveness", "after the faults somebody is not served in time, or a phase does not end in time"},
	{"no-failover", "liveness", "somebody is not served in time though only one store is broken (`phases.minority`)"},
	{"slow-birth", "births", "a new region has no leader though nothing disturbs it"},
	{"unavailable", "availability", "a client or a key waits too long while one node at a time is restarted"},
	{"log-mismatch", "logs", "two logs differ in what was applied"},
	{"state-mismatch", "logs", "equal logs have led to different states"},
}

// anomalyTable has a row for each anomaly, in the order of the declarations; those of
// the run come first.
func anomalyTable(t *testing.T) string {
	var b strings.Builder
	b.WriteString("| anomaly | found by | meaning |\n|---|---|---|\n")
	row := func(name, checkers, meaning string) {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, strings.Join(quotedNames(strings.Fields(checkers)), ", "), meaning)
	}
	declared := map[string]bool{}
	for _, dir := range []string{"scenarios/trial", "scenarios/runner", "scenarios/bareraft"} {
		for _, a := range declaredAnomalies(t, dir) {
			declared[a.value] = true
		}
	}
	for _, a := range runAnomalies {
		row(a.name, a.checkers, a.meaning)
		if !declared[a.name] {
			t.Errorf("no anomaly %s is declared", a.name)
		}
		delete(declared, a.name)
	}
	for name := range declared {
		t.Errorf("the anomaly %s is not in runAnomalies", name)
	}
	by := anomalyCheckers(t)
	for _, a := range declaredAnomalies(t, "checker/verdict") {
		if len(by[a.ident]) == 0 {
			t.Errorf("no checker names the anomaly %s", a.value)
		}
		row(a.value, strings.Join(slices.Sorted(maps.Keys(by[a.ident])), " "), verdict.Anomaly(a.value).Describe())
	}
	return b.String()
}

// declaredAnomaly is a constant of type Anomaly.
type declaredAnomaly struct{ ident, value string }

// declaredAnomalies are the anomalies that a package declares, in its order.
func declaredAnomalies(t *testing.T, dir string) (all []declaredAnomaly) {
	t.Helper()
	for _, file := range sourceFiles(t, dir) {
		ast.Inspect(parseFile(t, file), func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 || typeIdent(spec.Type) != "Anomaly" {
				return true
			}
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
				value, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, declaredAnomaly{spec.Names[0].Name, value})
			}
			return true
		})
	}
	return all
}

// anomalyCheckers are the checkers that name each anomaly, by its identifier.
func anomalyCheckers(t *testing.T) map[string]map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for _, a := range declaredAnomalies(t, "checker/verdict") {
		known[a.ident] = true
	}
	unused := maps.Clone(anomalySources)
	by := map[string]map[string]bool{}
	for _, root := range []string{"checker", "scenarios/cluster", "scenarios/runner", "scenarios/bareraft", "scenarios/trial", "scenarios/workload"} {
		for _, file := range sourceFiles(t, root) {
			for _, d := range parseFile(t, file).Decls {
				source := file
				if f, ok := d.(*ast.FuncDecl); ok && anomalySources[file+" "+f.Name.Name] != "" {
					source += " " + f.Name.Name
				}
				ast.Inspect(d, func(n ast.Node) bool {
					s, ok := n.(*ast.SelectorExpr)
					if !ok || typeIdent(s.X) != "verdict" || !known[s.Sel.Name] {
						return true
					}
					delete(unused, source)
					if anomalySources[source] == "" {
						t.Errorf("%s names the anomaly %s, and anomalySources does not say which checker that is", source, s.Sel.Name)
					}
					if by[s.Sel.Name] == nil {
						by[s.Sel.Name] = map[string]bool{}
					}
					for _, c := range strings.Fields(anomalySources[source]) {
						by[s.Sel.Name][c] = true
					}
					return true
				})
			}
		}
	}
	for source := range unused {
		t.Errorf("%s in anomalySources names no anomaly", source)
	}
	return by
}

// typeIdent is the name of an identifier, also of one that a package qualifies.
func typeIdent(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return x.Sel.Name
	}
	return ""
}

// sourceFiles are the Go files below a folder of the module, without tests, with their
// paths from its root.
func sourceFiles(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join("..", filepath.FromSlash(dir)), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			files = append(files, strings.TrimPrefix(filepath.ToSlash(path), "../"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func parseFile(t *testing.T, file string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", filepath.FromSlash(file)), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
