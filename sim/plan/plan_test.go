package plan_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"simrun/faults"
	"simrun/sim/plan"
)

// fullPlan sets every field to something else than the default.
func fullPlan(t *testing.T) plan.Plan {
	ms := plan.Duration(time.Millisecond)
	p := plan.Plan{
		Version: plan.Version, Scenario: "bank", Seed: 7,
		Cluster: plan.Cluster{
			Stores: 5, Replicas: 3, Placement: 1, API: plan.Raw, Joining: 1,
			SplitKeys: []string{"acct/0004", "acct/0008", "it's"},
		},
		Workload: plan.Workload{
			Name: "register", Clients: 8, Rate: 250, Operations: 1000, Keys: 24,
			Params: map[string]int{"balance": 100, "read-percent": 40},
			SQL:    "-- setup\nCREATE TABLE t (s VARCHAR(5));\n\n-- program p\nINSERT INTO t VALUES ('it''s \\n');\n",
		},
		Phases: plan.Phases{Boot: 1500 * ms, Storm: 8000 * ms, Calm: 20_000 * ms, Audit: 90_000 * ms, Minority: plan.Deaf},
		Knobs: plan.Knobs{
			Order: plan.Seeded, TickInterval: 10 * ms, ElectionTick: 20, HeartbeatTick: 3,
			Ticks: plan.Eager, Hibernate: 250 * ms,
			LeaderLease: true, ClockDriftBound: 20_500, ReplicaRead: 100,
			MaxInflightMsgs: 64, MaxSizePerMsg: 4096, MaxUncommittedBytes: 2048, RaftLogGCThreshold: 16, RaftLogGCLimit: 2,
			SnapshotChunkBytes: 1024, SnapshotRate: 4096, SnapshotsMax: 2, MemtableBytes: 32768, L0SlowdownFiles: 8, L0StopFiles: 12,
			PendingCompactionBytes: 1 << 20, BackgroundRate: 100_000, ScanPage: 7, BatchBytes: 99,
			CommitMode: plan.MixedCommit, AsyncKeys: 12, AsyncBytes: 300, CommitWindow: 40 * ms, SchemaLease: 60 * ms, Pessimistic: 500, ReadCommitted: 300, PrimaryFirst: true, ResolveByCleanup: true, PendingWrites: 77, LockTTL: 500 * ms, RequestTimeout: 300 * ms,
			OperationTimeout: 3000 * ms, TSOWindow: 1000 * ms, GCInterval: 2000 * ms, GCLifetime: 4000 * ms, StoreHeartbeat: 700 * ms, RegionHeartbeat: 600 * ms,
			RestartDelay: 50 * ms,
		},
		Scheduling: plan.Scheduling{
			Interval: 100 * ms, MaxStoreDownTime: 3000 * ms, OperatorTimeout: 5000 * ms, OperatorLimit: 8, StoreLimit: 2,
			ReplicaCheck: true, BalanceLeaders: true, BalanceRegions: true, BySize: true, Tolerance: 1, EvictSlow: true,
			SplitSize: 65536, SplitKeys: 100, SplitCheck: 1000 * ms, MergeSize: 8192, MergeKeys: 10, MergeDelay: 2000 * ms,
		},
		Network: plan.Network{
			LatencyMin: ms / 2, LatencyMax: 2 * ms, Jitter: ms, Loss: 10, Duplicate: 5, Reorder: 20, Detour: 50 * ms,
			Unordered: true, Bandwidth: 1_000_000, QueueMax: 100 * ms,
		},
		Disk: plan.Disk{
			WriteMin: ms / 200, WriteMax: ms / 50, WritePerKiB: ms / 1000, SyncMin: ms / 5, SyncMax: 10 * ms,
			EntryMin: ms / 100, EntryMax: ms / 10, Capacity: 1 << 28,
		},
		Clocks: plan.Clocks{OffsetMax: 200 * ms, DriftMax: 500},
		Limits: plan.Limits{Events: 1_000_000},
	}
	for _, line := range []string{
		"at 1.5s partition store1,client2 | store2,store3 for 800ms",
		"at 3s power-loss store2 at-op 17 for 400ms",
		"at 4s isolate leader(acct/0004) for 1s",
		`at 6s split "it's 1"`,
		"at 7s join store5",
		"at 7s drain store1",
	} {
		f, err := faults.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		p.Faults = append(p.Faults, f)
	}
	return p
}

// Goal: the text form does not change by accident, and every field has a place
// in it.
func TestGolden(t *testing.T) {
	p := fullPlan(t)
	requireNoZero(t, reflect.ValueOf(p), "Plan")
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	datadriven.RunTest(t, "testdata/golden", func(t *testing.T, d *datadriven.TestData) string {
		switch d.Cmd {
		case "full":
			return escapeBlankLines(p.String())
		case "default":
			return escapeBlankLines(plan.Default().String())
		}
		t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
		return ""
	})
	parsed, err := plan.Parse("full.toml", p.String())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(parsed, p) {
		t.Errorf("parsed to %+v\nwas %+v", parsed, p)
	}
}

// escapeBlankLines replaces the blank lines, which end a golden output.
func escapeBlankLines(text string) string { return strings.ReplaceAll(text, "\n\n", "\n.\n") }

// requireNoZero fails for a field that has its zero value: a new field is to be
// set in fullPlan.
func requireNoZero(t *testing.T, v reflect.Value, path string) {
	if v.Type() == reflect.TypeFor[faults.Fault]() {
		return
	}
	if v.Kind() == reflect.Struct {
		for i := range v.NumField() {
			requireNoZero(t, v.Field(i), path+"."+v.Type().Field(i).Name)
		}
		return
	}
	if v.IsZero() {
		t.Errorf("%s is zero in the full plan: set it", path)
	}
}

// TestErrors holds the messages as golden files. Input is an edit of the
// default plan: a line to be replaced, =>, what to replace it with (\n for a
// new line).
func TestErrors(t *testing.T) {
	datadriven.RunTest(t, "testdata/errors", func(t *testing.T, d *datadriven.TestData) string {
		if d.Cmd != "edit" {
			t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
		}
		var b strings.Builder
		for _, line := range strings.Split(d.Input, "\n") {
			before, after, _ := strings.Cut(line, " =>")
			after = strings.TrimPrefix(after, " ")
			text := plan.Default().String()
			if strings.Count(text, before+"\n") == 0 {
				t.Fatalf("%s: the default plan has no line %q", d.Pos, before)
			}
			text = strings.Replace(text, before+"\n", strings.ReplaceAll(after, `\n`, "\n")+"\n", 1)
			if _, err := plan.Parse("plan.toml", text); err != nil {
				b.WriteString(err.Error() + "\n")
			} else {
				b.WriteString("ok\n")
			}
		}
		return b.String()
	})
}

// Goal: a plan prints and parses back to itself.
func TestPrintParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		text := p.String()
		parsed, err := plan.Parse("plan.toml", text)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if !reflect.DeepEqual(parsed, p) {
			t.Fatalf("parsed to %+v\nwas %+v", parsed, p)
		}
		if again := parsed.String(); again != text {
			t.Fatalf("prints as\n%s\nand then as\n%s", text, again)
		}
	})
}

// Goal: a plan that was built by a program and left lists nil prints like one
// that has them empty.
func TestNilIsEmpty(t *testing.T) {
	p := plan.Default()
	p.Cluster.SplitKeys, p.Workload.Params, p.Faults = nil, nil, nil
	if p.String() != plan.Default().String() {
		t.Error("nil lists print otherwise than empty ones")
	}
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
}

// Goal: Validate, without a text, names the field.
func TestValidateNamesTheField(t *testing.T) {
	p := plan.Default()
	p.Knobs.ElectionTick = 1
	err := p.Validate()
	var wrong *plan.Error
	if !errors.As(err, &wrong) || wrong.Field != "knobs.election-tick" || wrong.Line != 0 {
		t.Errorf("got %v", err)
	}
}

// FuzzParse checks that no text makes the parser panic, that errors have a
// position, and that what parses prints in a form that is a fixed point.
func FuzzParse(f *testing.F) {
	text := plan.Default().String()
	f.Add(text)
	f.Add(strings.Replace(text, "faults = []", "faults = [\n'at 1s kill store1', # comment\n\"at 2s split k1\"]", 1))
	f.Add(strings.Replace(text, "split-keys = []", `split-keys = ["a\u0000", 'b']`, 1))
	f.Add(strings.Replace(text, "[workload.params]", "[workload.params]\n\"a b\" = 1\na.b = 2", 1))
	f.Add("version = '1'\ncluster = { stores = 3 }\n[[schedule]]\n")
	f.Add("version = '1'\nseed = '18446744073709551615'\nclocks.drift-max = 1_0")
	f.Add("version = \"2\"")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := plan.Parse("plan.toml", text)
		if err != nil {
			var wrong *plan.Error
			if !errors.As(err, &wrong) || wrong.Line < 1 || wrong.Column < 1 || wrong.Message == "" {
				t.Fatalf("%+v", err)
			}
			return
		}
		printed := p.String()
		again, err := plan.Parse("plan.toml", printed)
		if err != nil || again.String() != printed {
			t.Fatalf("%v\n%s\n%s", err, printed, again)
		}
	})
}
