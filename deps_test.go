// Package simrun_test checks the structure of the whole module.
package simrun_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "simrun"

// rule says what of the module one package may import. Paths are relative to
// the module; one that ends in /... stands for a package and all below it.
type rule struct {
	pkg     string
	imports []string
	// tests is what its tests may import besides imports and the package itself.
	tests []string
}

// layers is who may import whom, from the bottom to the top. It is complete: a
// package that is not listed fails the test, and so does a line without one.
//
// Three sentences are behind it. The database never knows that it is simulated.
// The simulator, the network, the faults and the checkers do not know the
// database, so that they serve for others. Only scenarios and the command join
// the two.
func layers() []rule {
	simulator := []string{"sim", "sim/disk", "sim/stream", "network", "faults"}
	below := []string{"nodes/...", "sim/...", "network", "faults", "checker/...", "reports"}
	return []rule{
		{pkg: "nodes/env"},
		{pkg: "nodes/invariant"},
		{pkg: "nodes/invariant/marktest", imports: []string{"nodes/invariant"}}, // all tests may import it
		{pkg: "nodes/codec", tests: simulator},
		{pkg: "nodes/rpc", imports: []string{"nodes/env", "nodes/invariant"}, tests: simulator},
		{pkg: "nodes/engine", imports: []string{"nodes/env", "nodes/invariant", "nodes/codec"}, tests: simulator},
		{pkg: "nodes/mvcc", imports: []string{"nodes/invariant", "nodes/codec", "nodes/engine"}, tests: slices.Concat(simulator, []string{"nodes/env"})},
		{
			pkg:     "nodes/txn",
			imports: []string{"nodes/env", "nodes/invariant", "nodes/codec", "nodes/engine", "nodes/mvcc"}, tests: simulator,
		},
		{
			pkg:     "nodes/raftstore",
			imports: []string{"nodes/env", "nodes/invariant", "nodes/codec", "nodes/engine", "nodes/rpc"}, tests: simulator,
		},
		{
			pkg:     "nodes/placement",
			imports: []string{"nodes/env", "nodes/invariant", "nodes/codec", "nodes/engine", "nodes/rpc", "nodes/raftstore"}, tests: simulator,
		},
		{
			pkg:     "nodes/client",
			imports: []string{"nodes/env", "nodes/invariant", "nodes/codec", "nodes/rpc", "nodes/placement"},
			tests:   slices.Concat(simulator, []string{"nodes/..."}),
		},
		{pkg: "nodes/table/kv", imports: []string{"nodes/env", "nodes/client"}},
		{pkg: "nodes/table/memory", imports: []string{"nodes/env", "nodes/invariant", "nodes/codec", "nodes/client", "nodes/table/kv"}},
		{
			pkg:     "nodes/table",
			imports: []string{"nodes/env", "nodes/invariant", "nodes/codec", "nodes/client", "nodes/table/kv"},
			tests:   []string{"nodes/table/memory"},
		},
		{
			pkg:     "nodes/table/sql",
			imports: []string{"nodes/env", "nodes/invariant", "nodes/codec", "nodes/client", "nodes/table", "nodes/table/kv"},
			tests:   []string{"nodes/table/memory"},
		},
		{pkg: "nodes", imports: []string{"nodes/..."}, tests: simulator},

		{pkg: "sim/bom"},
		{pkg: "sim/stream"},
		{pkg: "sim/clock", tests: []string{"sim/stream"}},
		{pkg: "sim/history", imports: []string{"sim/bom"}},
		{pkg: "sim/history/jepsen", imports: []string{"sim/bom", "sim/history"}},
		{pkg: "sim/disk", imports: []string{"sim/stream", "nodes/env"}},
		{pkg: "network", imports: []string{"sim/stream", "nodes/env"}},
		{pkg: "faults", imports: []string{"sim/stream"}},
		{pkg: "sim/plan", imports: []string{"faults", "sim/bom"}},
		{pkg: "sim/reduce", imports: []string{"faults"}},
		{pkg: "sim/shrink", imports: []string{"sim/plan", "sim/reduce", "faults"}},
		{
			pkg:     "sim",
			imports: []string{"sim/stream", "sim/clock", "sim/disk", "network", "faults", "nodes/env", "nodes/invariant"},
			tests:   []string{"sim/..."},
		},

		{pkg: "checker/verdict"},
		{pkg: "checker/linear", imports: []string{"checker/verdict", "sim/history"}, tests: []string{"sim/history/..."}},
		{pkg: "checker/isolation", imports: []string{"checker/verdict", "sim/history"}, tests: []string{"sim/history/..."}},
		{pkg: "checker/bank", imports: []string{"checker/verdict", "sim/history"}, tests: []string{"sim/history/..."}},
		{pkg: "checker/timestamps", imports: []string{"checker/verdict", "sim/history"}, tests: []string{"sim/history/..."}},
		{pkg: "checker/consensus", imports: []string{"checker/verdict"}},
		{pkg: "checker/state", imports: []string{"checker/verdict", "sim/history"}, tests: []string{"sim/history/..."}},
		{pkg: "checker", imports: []string{"checker/...", "sim/history"}, tests: []string{"sim/history/..."}},
		// Of the database the reports know how the keys of tables are written, to read them.
		{pkg: "reports", imports: []string{"checker", "sim/bom", "sim/history/...", "nodes/invariant", "nodes/codec"}},

		// These join the parts; scenarios itself only draws plans. The nodes of
		// bareraft are a system of their own, in which a bug of raft's is not
		// hidden by a database.
		{
			pkg:     "scenarios/trial", // of systems of one's own, so that it knows no database
			imports: []string{"nodes/env", "nodes/invariant", "sim/...", "faults", "checker/...", "reports"},
			tests:   []string{"network", "scenarios/trial/trialtest"},
		},
		{
			pkg:     "scenarios/trial/trialtest", // all tests of systems of one's own may import it
			imports: []string{"sim/reduce", "faults", "checker", "reports", "scenarios/trial"},
			tests:   []string{"sim", "sim/history", "nodes/env"},
		},
		{
			pkg:     "scenarios/chain", // a system of one's own
			imports: []string{"nodes/env", "nodes/invariant", "sim/...", "network", "faults", "checker", "scenarios/trial"},
			tests:   []string{"scenarios/trial/trialtest"},
		},
		{pkg: "scenarios/workload", imports: below},
		{
			pkg:     "scenarios/cluster",
			imports: slices.Concat(below, []string{"scenarios/workload"}),
			tests:   []string{"scenarios/runner"},
		},
		{pkg: "scenarios/bareraft/registers", imports: []string{"nodes/env", "nodes/invariant"}, tests: below},
		{
			pkg:     "scenarios/bareraft",
			imports: slices.Concat(below, []string{"scenarios/cluster", "scenarios/bareraft/registers"}),
			tests:   []string{"scenarios", "scenarios/runner"},
		},
		{
			pkg:     "scenarios/runner",
			imports: slices.Concat(below, []string{"scenarios/trial", "scenarios/workload", "scenarios/cluster", "scenarios/bareraft"}),
		},
		{pkg: "scenarios", imports: []string{"sim/bom", "sim/plan", "sim/stream", "faults", "nodes/rpc", "scenarios/workload"}, tests: slices.Concat(below, []string{"scenarios/..."})},
		{pkg: "scenarios/determinism", tests: slices.Concat(below, []string{"scenarios", "scenarios/..."})},
		{pkg: "scenarios/coverage", tests: slices.Concat(below, []string{"scenarios", "scenarios/..."})},
		{pkg: "scenarios/planted", tests: slices.Concat(below, []string{"scenarios"})},

		{pkg: "cmd/simrun", imports: slices.Concat(below, []string{"scenarios/..."})},
		{pkg: "."},
	}
}

func TestLayers(t *testing.T) {
	found := packages(t)
	listed := map[string]bool{}
	for _, r := range layers() {
		listed[r.pkg] = true
		files, exists := found[r.pkg]
		if !exists {
			t.Errorf("%s has a line in the table of layers and no code", r.pkg)
		}
		for _, f := range files {
			allowed := r.imports
			if f.test {
				allowed = slices.Concat(r.imports, r.tests, []string{r.pkg, "nodes/invariant/marktest"})
			}
			for _, imported := range f.imports {
				if !slices.ContainsFunc(allowed, func(pattern string) bool { return covers(pattern, imported) }) {
					t.Errorf("%s imports %s, which %s may not (see layers in deps_test.go)", f.name, imported, r.pkg)
				}
			}
		}
	}
	for pkg := range found {
		if !listed[pkg] {
			t.Errorf("%s has no line in the table of layers in deps_test.go", pkg)
		}
	}
}

func covers(pattern, pkg string) bool {
	if root, all := strings.CutSuffix(pattern, "/..."); all {
		return pkg == root || strings.HasPrefix(pkg, root+"/")
	}
	return pkg == pattern
}

// source is one Go file with what it imports of this module.
type source struct {
	name    string
	test    bool
	imports []string
}

// packages parses the imports of all Go files, by folder.
func packages(t *testing.T) map[string][]source {
	t.Helper()
	found := map[string][]source{}
	root := os.DirFS(".")
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || entry.Name() == "out") {
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		s := source{name: name, test: strings.HasSuffix(name, "_test.go")}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if own, ok := strings.CutPrefix(imported, module+"/"); ok {
				s.imports = append(s.imports, own)
			}
		}
		pkg := path.Dir(name)
		found[pkg] = append(found[pkg], s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
