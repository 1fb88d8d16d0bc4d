package scenarios_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"simrun/checker"
	"simrun/nodes/invariant"
	plantedbugs "simrun/scenarios/planted"
	"simrun/scenarios/runner"
	"simrun/sim/plan"
)

// regressions are the plans that once failed, hung or had two traces. Each
// names the rare branch by which it did, without which it proves nothing.
var regressions = map[string]string{
	// A store is down, and the network loses messages. A client passes the store over for
	// longer and longer, or its operations of two requests' length never come to an end.
	"dead-store-tried-again.toml": "client: store silent again when it was asked after a while",
	// A client dies in a commit that deletes an entry, and nothing is left of the key
	// after a collection. What it had under way belongs to the history by which the
	// stores are judged.
	"deletion-of-a-dead-client.toml": "txn: garbage of a key collected",
	// Tables that Pebble had given up were deleted, for Pebble, on a goroutine of its own, and
	// a compaction that writes nothing syncs the directory if something in it was deleted.
	"compaction-beside-deletion.toml": "engine: compaction has written no table",
	// A full disk made every flush fail while a store opened its database; the
	// loop waited for Pebble, and Pebble for the loop.
	"disk-full-while-opening.toml": "engine: storage error while a database was opened",
	// A commit without a second phase ended without an answer. That its insert had
	// found no value was written down all the same, and was wrong.
	"insert-of-unknown-outcome.toml": "client: async or one-phase commit of unknown outcome",
	// Two stores with stalled disks are killed, start again, and lose the power
	// before the stall is over; their leader is cut off then. A store that answered
	// for what only the page cache held acknowledged a write that nobody had.
	"kill-before-durable.toml": "sim: process started before what an earlier one synced was durable",
	// Between two writes a peer gets an entry from one leader and another one in its
	// place from the next; the acknowledgement of the first goes out late.
	"late-acknowledgement.toml": "raftstore: entries acknowledged that a later leader has replaced before they were written",
	// A transaction is rolled back while its primary waits for the prewrite, another one
	// that began before the first one's statement after it, and then a copy of the request
	// for the lock arrives, and the prewrite behind it. The lock is refused.
	"late-lock-after-rollback.toml": "txn: pessimistic lock met its own rollback",
	// The power fails while part of an engine's log is not synced, and the sector is lost in
	// which one record begins, a few bytes before the end of a block. Pebble alone replays
	// those after it: the store had applied an entry without its writes.
	"log-without-a-beginning.toml": "engine: log ends before a record whose beginning is lost",
	// A pessimistic transaction meets entries that others have written for a row that it
	// has changed, since its locks are gone. That accuses nobody: it is rolled back.
	"locks-lost-unnoticed.toml": "table: rows and entries disagreed in a transaction whose locks were gone",
	// A peer is cut off while all others of its region are replaced, two of them without
	// hearing of it, and the region is merged. Nobody it knows is there any more.
	"merged-away.toml": "raftstore: stale peer told of its removal",
	// A region of three is to lose a replica when the store that stays broken is chosen:
	// it needs that one as soon as the change is applied.
	"removed-in-the-calm.toml": "cluster: no store can be spared, members are about to change",
	// Of four voters one is to be removed. It is elected before it knows, commits
	// its own removal and is gone, and a disk is lost: the last two needed its
	// vote. It is demoted first now.
	"removed-while-elected.toml": "raftstore: voter demoted outside of a joint configuration",
	// A transaction starts at the very timestamp at which another one has committed its
	// primary, is rolled back there, and its prewrite comes again. It is refused.
	"rollback-at-a-commit.toml": "txn: rollback noted in the commit of another transaction",
	// A leader that is cut off appends what nobody else gets; the others go on, but
	// less far, forget what it lacks, and send it a snapshot that ends before its own
	// log does. It is killed between the record of the snapshot and the reset of the
	// log.
	"snapshot-below-log-end.toml": "raftstore: log reset completed after a crash",
	// A snapshot's batch was too large for the memtable; its sync raced with the
	// closing of the log, and the log's last bytes went to one or the other.
	"snapshot-beside-memtable.toml": "engine: large batch put beside the memtable",
	// A store hears of a region before it applies the split that makes it. What its
	// peer has promised until then has to hold.
	"split-after-its-region.toml": "raftstore: split found an uninitialised peer",
	// Answers and heartbeats are lost while the last keys of transactions that commit
	// asynchronously are on their way, far longer than lock-ttl: they are respected
	// until their last possible timestamp all the same.
	"ttl-over-before-last-key.toml": "client: lock of an async-commit transaction met",
	// All stores start again right after a disk was lost. That they had not opened
	// their regions yet was taken for having none, and a second disk was lost.
	"wiped-while-opening.toml": "cluster: disk kept, for a store had yet to open its regions",
}

func TestRegressions(t *testing.T) {
	files, err := filepath.Glob("regressions/*.toml")
	if err != nil || len(files) != len(regressions) {
		t.Fatalf("%d plans, %d of them known: %v", len(files), len(regressions), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			p := readPlan(t, filepath.Base(file))
			o, err := runner.Run(p, runner.Options{})
			if err != nil {
				t.Fatal(err)
			}
			mark := regressions[filepath.Base(file)]
			if !slices.ContainsFunc(o.Result.Marks, func(c invariant.Count) bool { return c.Name == mark && c.Count > 0 }) {
				t.Errorf("the plan no longer reaches %q: find another", mark)
			}
			if o.Result.Verdict != checker.OK {
				t.Errorf("%s\n    simrun run scenarios/%s", o.Result.Signature(), file)
			}
			compareTraces(t, p)
		})
	}
}

// planted are the plans that were written for a bug: what they need comes
// together too seldom by itself. Each names the planted bug that it has to find.
var planted = map[string]string{
	"kill-before-durable.toml":      "K04",
	"late-lock-after-rollback.toml": "P25",
	"rollback-at-a-commit.toml":     "P23",
	"snapshot-below-log-end.toml":   "P04",
	"split-after-its-region.toml":   "P07",
	"ttl-over-before-last-key.toml": "P29",
}

func TestDirectedPlansFindTheirBugs(t *testing.T) {
	for file, id := range planted {
		t.Run(file, func(t *testing.T) {
			bugs, err := plantedbugs.Select([]string{id})
			if err != nil {
				t.Fatal(err)
			}
			program := filepath.Join(t.TempDir(), "simrun")
			if err = bugs[0].Build(t.Context(), "..", program); err != nil {
				t.Fatal(err)
			}
			p := readPlan(t, file)
			var last []byte
			for range directedSeeds {
				if last = runProgram(t, program, p); bytes.HasPrefix(last, []byte("VIOLATION")) {
					return
				}
				p.Seed++
			}
			t.Errorf("%s is not found under %d seeds from the plan's on; the last says\n%s", id, directedSeeds, last)
		})
	}
}

// directedSeeds is under how many seeds a directed plan may miss its bug: about
// every second one finds it, and which do changes with the code.
const directedSeeds = 8

// runProgram runs a plan with a program and returns what it prints.
func runProgram(t *testing.T, program string, p *plan.Plan) []byte {
	t.Helper()
	folder := t.TempDir()
	file := filepath.Join(folder, "plan.toml")
	if err := os.WriteFile(file, []byte(p.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "run", file, "--out", filepath.Join(folder, "out"))
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out
}

func readPlan(t *testing.T, file string) *plan.Plan {
	t.Helper()
	file = filepath.Join("regressions", file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Parse(file, string(text))
	if err != nil {
		t.Fatal(err)
	}
	return &p
}

// compareTraces runs the plan at several GOMAXPROCS.
func compareTraces(t *testing.T, p *plan.Plan) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	recording, err := runner.Record(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, procs := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(procs)
		difference, err := recording.Compare(p)
		if err != nil {
			t.Fatal(err)
		}
		if difference != "" {
			t.Errorf("GOMAXPROCS %d: %s", procs, difference)
		}
	}
}
