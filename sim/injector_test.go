package sim_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"simrun/faults"
	"simrun/nodes/env"
	"simrun/sim"
	"simrun/sim/clock"
	"simrun/sim/disk"
)

// A fault that meets nothing has not taken effect: there was no message on the
// link, no operation of the disk, no process.
func TestEffectNeedsSomethingHit(t *testing.T) {
	w := sim.NewWorld(sim.Config{Seed: 1})
	defer w.Close()
	cfg := disk.DefaultConfig()
	idle := func(*env.Env) func() { return nil }
	for _, name := range []string{"a", "b"} {
		w.AddNode(sim.NodeConfig{Name: name, Disk: &cfg, Main: idle})
	}
	inj := sim.NewInjector(w, nil)
	for name, l := range map[string]faults.Lasting{
		"pause": inj.Pause("a"), "drift": inj.ClockDrift("a", 100), "stall": inj.DiskStall("a"),
		"slow": inj.DiskSlow("a", 5), "full": inj.DiskFull("a"), "crash": inj.Crash("a", faults.Kill),
	} {
		if l.Undo != nil {
			t.Errorf("%s: in force on a node that is down", name)
		}
	}
	if inj.ClockJump("a", time.Second) {
		t.Error("jump: took effect on a node that is down")
	}
	w.StartAll()
	cut := inj.Partition([]string{"a"}, []string{"b"})
	slow := inj.DiskSlow("a", 5)
	if cut.Hit() || slow.Hit() {
		t.Error("a fault took effect that has met nothing")
	}
	w.Network.Send(2, 1, nil)
	if cut.Hit() {
		t.Error("a message in the other direction was counted")
	}
	w.Network.Send(1, 2, nil)
	mustCreate(t, w.Node("a").Disk())
	if !cut.Hit() || !slow.Hit() {
		t.Error("a fault took no effect that has met something")
	}
}

func mustCreate(t *testing.T, d *disk.Disk) {
	t.Helper()
	f, err := d.FS().Create("f", "test")
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Stalls that overlap are one stall, which lasts as long as one of them does.
func TestOverlappingStalls(t *testing.T) {
	w := sim.NewWorld(sim.Config{Seed: 1})
	defer w.Close()
	var log strings.Builder
	pingers(w, 1, &log)
	w.StartAll()
	inj := sim.NewInjector(w, nil)
	n := w.Node("store1")
	stalls := []faults.Lasting{inj.DiskStall("store1"), inj.DiskStall("store1"), inj.DiskStall("store1")}
	_ = w.RunFor(time.Second)
	stalls[0].Undo()
	stalls[1].Undo()
	before := n.Disk().Stats().Stalled
	_ = w.RunFor(time.Second)
	if n.Disk().Stats().Stalled == before {
		t.Error("the stall ended with its first fault")
	}
	stalls[2].Undo()
	before = n.Disk().Stats().Stalled
	_ = w.RunFor(time.Second)
	if n.Disk().Stats().Stalled != before {
		t.Error("the stall did not end with its last fault")
	}
}

// writer is a node that writes and syncs at the instants of its list, and notes
// when each sync is known to be durable.
type writer struct {
	*sim.World
	node    *sim.Node
	inj     *sim.Injector
	durable []time.Duration
}

// newWriter returns a writer whose disk takes a millisecond for a sync.
func newWriter(t *testing.T, at ...time.Duration) *writer {
	t.Helper()
	w := &writer{World: sim.NewWorld(sim.Config{Seed: 1})}
	t.Cleanup(w.Close)
	cfg := disk.Config{Sync: disk.Latency{Min: time.Millisecond, Max: time.Millisecond}}
	w.node = w.AddNode(sim.NodeConfig{Name: "a", Disk: &cfg, Main: func(e *env.Env) func() {
		f, err := e.Disk.FS().Create("f", "test")
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range at {
			e.Sched.After(d, func() {
				_, _ = f.Write([]byte("x"))
				_ = f.Sync()
				e.Disk.Barrier(func() { w.durable = append(w.durable, time.Duration(w.Now())) })
			})
		}
		return nil
	}})
	w.inj = sim.NewInjector(w.World, nil)
	w.StartAll()
	return w
}

// until runs to an instant and checks what was known to be durable by then.
func (w *writer) until(t *testing.T, at time.Duration, want ...time.Duration) {
	t.Helper()
	_ = w.Run(int64(at))
	if !slices.Equal(w.durable, want) {
		t.Errorf("at %v these were durable: %v, want %v", at, w.durable, want)
	}
}

const ms = time.Millisecond

// Nothing is durable before the end of a stall: neither the sync under way when
// it begins, of which the rest is left then, nor those issued meanwhile, however
// long it lasts. Of two stalls that overlap, the later end counts.
func TestNothingIsDurableInStall(t *testing.T) {
	w := newWriter(t, 1*ms, 4*ms, 50*ms, 300*ms)
	w.until(t, 4500*time.Microsecond, 2*ms)
	first := w.inj.DiskStall("a")
	w.until(t, 100*ms, 2*ms)
	second := w.inj.DiskStall("a")
	w.until(t, 200*ms, 2*ms)
	first.Undo()
	w.until(t, 1000*ms, 2*ms)
	second.Undo()
	half := 500 * time.Microsecond
	w.until(t, 2000*ms, 2*ms, 1000*ms+half, 1001*ms+half, 1002*ms+half)
}

// The calm ends a stall early, and the fault's own end after it finds nothing
// left to do - not even of a later stall.
func TestHealingEndsStall(t *testing.T) {
	w := newWriter(t, 4*ms, 20*ms)
	stall := w.inj.DiskStall("a")
	w.until(t, 10*ms)
	w.inj.HealAll()
	w.until(t, 15*ms, 11*ms)
	later := w.inj.DiskStall("a")
	stall.Undo()
	w.until(t, 30*ms, 11*ms)
	later.Undo()
	w.until(t, 40*ms, 11*ms, 31*ms)
}

// A barrier that comes due while the node is paused and the disk stands still
// waits for both.
func TestStallOfPausedNode(t *testing.T) {
	w := newWriter(t, 4*ms)
	w.until(t, 4500*time.Microsecond)
	stall := w.inj.DiskStall("a")
	pause := w.inj.Pause("a")
	w.until(t, 10*ms)
	stall.Undo()
	w.until(t, 20*ms)
	stall = w.inj.DiskStall("a")
	pause.Undo()
	w.until(t, 30*ms, 20*ms) // durable since 10.5ms: the second stall came too late
	stall.Undo()
}

// A power loss in a stall finds that no sync of it has completed, and neither
// does the next process get on before its end.
func TestPowerLossInStall(t *testing.T) {
	w := newWriter(t, 1*ms, 20*ms)
	w.until(t, 10*ms, 2*ms)
	stall := w.inj.DiskStall("a")
	w.until(t, 500*ms, 2*ms)
	w.node.Crash(disk.PowerLoss)
	if s := w.node.Disk().Stats(); s.Incomplete != 1 {
		t.Errorf("%d syncs had not completed, want 1", s.Incomplete)
	}
	w.node.Start()
	w.until(t, 900*ms, 2*ms)
	stall.Undo()
	w.until(t, 1000*ms, 2*ms, 901*ms, 902*ms)
}

// Drifts add up beyond what the clock takes and come apart again; healing
// leaves the drift that the clock has by itself.
func TestDriftsComeApart(t *testing.T) {
	w := sim.NewWorld(sim.Config{Seed: 1})
	defer w.Close()
	n := w.AddNode(sim.NodeConfig{Name: "a", Main: func(*env.Env) func() { return nil }})
	n.SetDrift(70)
	w.StartAll()
	inj := sim.NewInjector(w, nil)
	drift := func(want int64) {
		t.Helper()
		c := n.Clock()
		if c.Drift() != want {
			t.Errorf("the drift is %d, not %d", c.Drift(), want)
		}
	}
	inj.HealAll()
	drift(70)
	a := inj.ClockDrift("a", 400_000)
	b := inj.ClockDrift("a", 300_000)
	drift(clock.DriftMax)
	a.Undo()
	drift(300_070)
	b.Undo()
	drift(70)
	c := inj.ClockDrift("a", -1000)
	inj.HealAll()
	drift(70)
	c.Undo()
	drift(70)
}

// A fault may make a clock as wrong as a clock can be, and not more.
func TestDriftMax(t *testing.T) {
	if faults.DriftMax != clock.DriftMax {
		t.Errorf("faults drift by up to %d ppm and clocks by up to %d", faults.DriftMax, clock.DriftMax)
	}
}

// resolver is a system that knows who is who, and nothing else.
type resolver struct{}

func (resolver) Resolve(faults.Target) []string { return []string{"a"} }

// mover can also be asked to move leaders.
type mover struct{ resolver }

func (mover) TransferLeader(string, func()) bool { return true }

// Of what a system is not, nothing is asked: such faults take no effect.
func TestSystemWithoutAdministrator(t *testing.T) {
	w := sim.NewWorld(sim.Config{Seed: 1})
	defer w.Close()
	cfg := disk.DefaultConfig()
	n := w.AddNode(sim.NodeConfig{Name: "a", Disk: &cfg, Main: func(*env.Env) func() { return nil }})
	w.StartAll()
	none := func() {}
	for name, d := range map[string]sim.Directory{"nothing": nil, "a resolver": resolver{}, "a mover": mover{}} {
		inj := sim.NewInjector(w, d)
		_, relieved := inj.Relieve("a", none)
		for fault, asked := range map[string]bool{
			"split": inj.Split("k", none), "merge-regions": inj.MergeRegions("k", none), "add-peer": inj.AddPeer("k", "a", none),
			"remove-peer": inj.RemovePeer("k", "a", none), "move-peer": inj.MovePeer("k", "a", "b", none),
			"join": inj.Join("a"), "drain": inj.Drain("a", none), "destroy": inj.Destroy("a"),
			"wipe": inj.Wipe("a", true).Undo != nil, "relieve": relieved,
		} {
			if asked || !n.Up() {
				t.Errorf("%s: %s took effect", name, fault)
			}
		}
		if found := inj.Resolve(faults.Leader("k")); (len(found) == 1) != (d != nil) {
			t.Errorf("%s: the leader is %v", name, found)
		}
		if _, moves := d.(sim.LeaderMover); inj.TransferLeader("k", none) != moves {
			t.Errorf("%s: a leader was moved, or not: %v", name, !moves)
		}
	}
}
