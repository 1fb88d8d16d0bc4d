package placement

import (
	"testing"
	"time"

	"simrun/nodes/env"
	"simrun/sim"
	"simrun/sim/disk"
)

// TestUnsavedSafePoint: nobody is told of a safe point that a fail-over may take back. While
// no disk takes anything a service ends what it has asked for, and others ask how far
// collection may go: they wait.
func TestUnsavedSafePoint(t *testing.T) {
	c := newCluster(t, 3, sim.Config{Seed: 3}, Config{})
	s := c.addSession("client1", ClientConfig{})
	c.StartAll()
	c.awaitLeader(t)
	s.do(t, func(task env.Task, _ *env.Env, pd *Client) {
		if _, err := pd.GetTS(task, noLimit); err != nil {
			t.Fatal(err)
		}
		if least, err := pd.AdvanceSafePoint(task, 40); err != nil || least != 40 {
			t.Fatal(least, err)
		}
		if _, err := pd.UpdateServiceGCSafePoint(task, "reader", 50, time.Hour); err != nil {
			t.Fatal(err)
		}
		if least, err := pd.AdvanceSafePoint(task, 110); err != nil || least != 50 {
			t.Fatal(least, err)
		}
	})

	inj, undo := sim.NewInjector(c.World, nil), []func(){}
	for _, m := range c.members {
		undo = append(undo, inj.DiskStall(m.Name()).Undo)
	}
	s.do(t, func(task env.Task, e *env.Env, pd *Client) {
		for _, who := range []struct {
			name string
			ask  func(env.Task) (uint64, error)
		}{
			{"the end of a hold", func(t env.Task) (uint64, error) { return pd.UpdateServiceGCSafePoint(t, "reader", 0, 0) }},
			{"a collector that goes on", func(t env.Task) (uint64, error) { return pd.UpdateGCSafePoint(t, 110) }},
			{"a collector that begins", func(t env.Task) (uint64, error) { return pd.AdvanceSafePoint(t, 100) }},
			{"a store that joins", func(t env.Task) (uint64, error) { closed, _, err := pd.SafePoints(t); return closed, err }},
		} {
			e.Sched.Go(who.name, func(task env.Task) {
				if got, err := who.ask(task); err == nil {
					t.Errorf("%s: %d, which nobody has saved", who.name, got)
				}
			})
		}
		task.Sleep(100 * time.Millisecond)
		for _, m := range c.members {
			m.Crash(disk.PowerLoss)
		}
	})
	for _, f := range undo {
		f()
	}
	for _, m := range c.members {
		m.Start()
	}
	c.awaitLeader(t)
	s.do(t, func(task env.Task, _ *env.Env, pd *Client) {
		if closed, settled, err := pd.SafePoints(task); err != nil || closed != 50 || settled > closed {
			t.Errorf("closed %d, settled %d, %v", closed, settled, err)
		}
		// Saved now, and told.
		if least, err := pd.UpdateServiceGCSafePoint(task, "reader", 49, 0); err != nil || least != 50 {
			t.Errorf("a removal of what was held earlier: %d, %v", least, err)
		}
		if least, err := pd.UpdateServiceGCSafePoint(task, "reader", 50, 0); err != nil || least != 110 {
			t.Errorf("the removal: %d, %v", least, err)
		}
		if settled, err := pd.UpdateGCSafePoint(task, 120); err != nil || settled != 110 {
			t.Errorf("settled %d, %v", settled, err)
		}
	})
}

// TestHoldOverFailover: the clock of the timestamps leaps with the leadership; a service that
// was heard of a moment ago keeps its safe point all the same, and one that stays silent
// loses it in the end.
func TestHoldOverFailover(t *testing.T) {
	c := newCluster(t, 3, sim.Config{Seed: 3}, Config{})
	s := c.addSession("client1", ClientConfig{})
	c.StartAll()
	leader := c.awaitLeader(t)
	const second = uint64(1000) << 18
	var start uint64
	s.do(t, func(task env.Task, _ *env.Env, pd *Client) {
		var err error
		if start, err = pd.GetTS(task, noLimit); err != nil {
			t.Fatal(err)
		}
		if _, err = pd.AdvanceSafePoint(task, start-second); err != nil {
			t.Fatal(err)
		}
		task.Sleep(400 * time.Millisecond)
		if _, err = pd.GetTS(task, noLimit); err != nil {
			t.Fatal(err)
		}
		if least, held := pd.UpdateServiceGCSafePoint(task, "reader", start, 2*time.Second); held != nil || least > start {
			t.Fatal(least, held)
		}
		leader.Crash(disk.ProcessKill)
	})
	c.awaitLeader(t, leader)
	s.do(t, func(task env.Task, _ *env.Env, pd *Client) {
		now, err := pd.GetTS(task, noLimit)
		if err != nil || now-start < 2*second {
			t.Fatalf("the clock has not leapt: %d ms, %v", (now-start)>>18, err)
		}
		least, err := pd.AdvanceSafePoint(task, now-second)
		if err != nil || least > start {
			t.Errorf("the service is passed: %d ms, %v", int64(least-start)>>18, err)
		}
		task.Sleep(6 * time.Second)
		if now, err = pd.GetTS(task, noLimit); err != nil {
			t.Fatal(err)
		}
		least, err = pd.AdvanceSafePoint(task, now-second)
		if err != nil || least != now-second {
			t.Errorf("a service that is silent holds for ever: %d ms, %v", int64(least-start)>>18, err)
		}
	})
}
