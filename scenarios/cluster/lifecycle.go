package cluster

import (
	"slices"
	"strings"
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"

	"simrun/nodes"
	"simrun/nodes/env"
	"simrun/nodes/rpc"
	"simrun/sim"
)

// Stores come and go. One that is held back has a machine and nothing on it until
// it joins. One that is gone - emptied and removed, or destroyed - has a machine
// on which nothing is ever started again.

// idle is the process of a machine on which no store runs: nothing that is sent
// to it is answered.
func (s *store) idle(e *env.Env, join func()) {
	e.Net.Receive(func(env.Addr, []byte) {})
	s.join = join
}

// absent reports whether there is no store on the machine.
func (s *store) absent() bool { return s.held || s.gone }

// present returns the stores that are part of the cluster, or are to be.
func (c *Cluster) present() []*store {
	return slices.DeleteFunc(slices.Clone(c.stores), (*store).absent)
}

// storeNames returns the names of the stores that should be there.
func (c *Cluster) storeNames() []string {
	var names []string
	for _, s := range c.present() {
		names = append(names, s.node.Name())
	}
	return names
}

// remaining is how many stores would be left without one: those that are being
// emptied, or have no identity yet, are none.
func (c *Cluster) remaining(without *store) (n int) {
	for _, s := range c.present() {
		if s != without && s.id != 0 && !s.draining {
			n++
		}
	}
	return n
}

// Join implements sim.Administrator.
func (c *Cluster) Join(node string) bool {
	s := c.storeNamed(node)
	if s == nil || !s.held {
		return false
	}
	s.held = false
	if s.join != nil {
		s.node.Do(s.join) // if the machine is down, it finds out when it starts
	}
	return true
}

// Destroy implements sim.Administrator: a store ends, and nobody is told. It may happen
// where its disk may get lost, and if there are stores enough without it.
func (c *Cluster) Destroy(node string) bool {
	s := c.storeNamed(node)
	if s == nil || c.remaining(s) < c.plan.Cluster.Replicas || !c.dispensable(s) {
		return false
	}
	c.forget(s)
	s.gone = true
	return true
}

// Drain implements sim.Administrator: the administrator has a store emptied, and it is
// gone when the placement driver has buried it.
func (c *Cluster) Drain(node string, happened func()) bool {
	s := c.storeNamed(node)
	if s == nil || s.absent() || s.id == 0 || s.draining || c.mourned() || c.remaining(s) < c.plan.Cluster.Replicas {
		return false
	}
	s.draining = true
	id := s.id
	c.admin.env.Sched.Go("drain "+node, func(t env.Task) {
		c.drain(t, &metapb.Store{Id: id, Address: node, State: metapb.StoreState_Offline})
		s.gone = true
		happened()
	})
	return true
}

// drainPause is the time between two looks at a store that is being emptied.
const drainPause = 100 * time.Millisecond

// drain asks until it is granted, and waits until the store is a tombstone.
func (c *Cluster) drain(t env.Task, meta *metapb.Store) {
	for granted := false; ; t.Sleep(drainPause) {
		if !granted {
			granted = c.admin.pd.PutStore(t, meta) == nil
		}
		if known, err := c.admin.pd.GetStore(t, meta.Id, -1); err == nil && known.State == metapb.StoreState_Tombstone {
			return
		}
	}
}

// removed reports whether a store has ended because it was removed.
func removed(reason string) bool { return strings.Contains(reason, nodes.RemovedReason) }

// startStore starts what runs on the machine of a store.
func (c *Cluster) startStore(s *store, e *env.Env, regions []*metapb.Region) func() {
	switch {
	case s.gone:
		s.idle(e, nil)
	case s.held:
		s.idle(e, func() { c.openStore(s, e, rpc.NewEndpoint(e), regions) })
	case s.id != 0:
		c.openStore(s, e, rpc.NewEndpoint(e), regions)
	default:
		ep := rpc.NewEndpoint(e)
		e.Sched.Go("identify", func(t env.Task) {
			if s.id == 0 {
				c.identify(t, s, e, ep)
			}
			c.openStore(s, e, ep, nil)
		})
	}
	return func() {
		s.join = nil
		if server := s.server; server != nil {
			s.server = nil
			server.Close()
		}
	}
}

// storeExited is called when the process of a store has ended by itself because it
// was removed, which is as it should be.
func (c *Cluster) storeExited(n *sim.Node) {
	i := slices.IndexFunc(c.stores, func(s *store) bool { return s.node == n })
	c.stores[i].gone = true
}
