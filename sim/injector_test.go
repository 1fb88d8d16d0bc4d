package sim_test

import (
	"strings"
	"testing"
	"time"

	"simrun/faults"
	"simrun/nodes/env"
	"simrun/sim"
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

// Stalls that overlap do not add up: when they are over, so is their effect.
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
	if backlog := n.Disk().Durable() - w.Now(); backlog > int64(20*time.Millisecond) {
		t.Errorf("a backlog of %v is left", time.Duration(backlog))
	}
	before = n.Disk().Stats().Stalled
	_ = w.RunFor(time.Second)
	if n.Disk().Stats().Stalled != before {
		t.Error("the stall did not end with its last fault")
	}
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
	drift(500_000)
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
