package raftstore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"simrun/nodes/engine"
	"simrun/nodes/env"
)

// Clients that write more than the engines can compact are told that the store
// is busy; what was acknowledged is there, and as soon as they let off everything
// is taken again. Whatever waits meanwhile is bounded (see backlog.go), and
// nobody loses the leadership over it.
func TestStalledEngines(t *testing.T) {
	refused, appends, applies := reached("write refused because the engine is stalled"),
		reached("append waits for a stalled engine"), reached("apply waits for a stalled engine")
	c := newCluster(t, clusterOptions{seed: 1, engine: engine.Options{
		MemTableSize: 16 << 10, RateBytesPerSec: 128 << 10, L0SlowdownFiles: 6, L0StopFiles: 8,
		PendingBytesSlowdown: 128 << 10, PendingBytesStop: 512 << 10,
	}})
	leader := c.waitLeader("")
	elections := c.elections
	acknowledged := map[string]string{}
	writing := true
	for w := range 20 {
		c.w.Go("writer", func(t env.Task) {
			for n := 0; writing; n++ {
				key, value := fmt.Sprintf("%d/%d", w, n%50), strings.Repeat(fmt.Sprint(n%10), 700)
				regionErr, err := c.tryPut(t, key, value, time.Minute)
				switch {
				case err != nil:
					c.t.Error(err)
				case regionErr == nil:
					acknowledged[key] = value
				case regionErr.GetServerIsBusy() != nil:
					n-- // not written: the same again
					t.Sleep(20 * time.Millisecond)
				default:
					c.t.Error(regionErr)
				}
			}
		})
	}
	c.run(10 * time.Second)
	writing = false
	if refused() == 0 || appends() == 0 || applies() == 0 {
		t.Errorf("%d writes refused, %d appends and %d applies have waited", refused(), appends(), applies())
	}
	c.until("the end of all stalls", func() bool {
		for _, s := range c.stores {
			for _, db := range []*engine.DB{s.eng.KV, s.eng.RaftLog} {
				if delay, stopped := db.Delay(); stopped || delay > 0 {
					return false
				}
			}
		}
		return true
	})
	c.converged()
	if c.leaderOf("") != leader || c.elections != elections {
		t.Errorf("%d elections", c.elections-elections)
	}
	c.do(func(t env.Task) {
		for key, value := range acknowledged {
			if got := c.get(t, key); got != value {
				c.t.Errorf("%s is %.5q..., %.5q... was acknowledged", key, got, value)
			}
		}
		if regionErr, err := c.tryPut(t, "k", "v", time.Second); regionErr != nil || err != nil {
			c.t.Error(regionErr, err)
		}
	})
	t.Logf("%d keys; %d writes refused, %d appends and %d applies have waited", len(acknowledged), refused(), appends(), applies())
}
