package raftstore

import (
	"fmt"
	"testing"

	"simrun/nodes/env"
)

// Between the application of entries and the moment at which raft is told, which
// comes when the batch is durable or the source of a merge is there, raft takes
// them for unapplied. If one of them has compacted the log and the peer campaigns
// then, raft looks at the others, to see whether they change the members.
func TestCampaignBeforeRaftKnowsOfCompaction(t *testing.T) {
	looked := reached("raft looks at entries that are compacted, of which it does not know that they are applied")
	c := newCluster(t, clusterOptions{seed: 1})
	leader := c.waitLeader("")
	s := c.stores[leader.id%3]
	p, a := s.byRegion[1], &s.applier
	a.held = true
	c.do(func(t env.Task) {
		for i := range 5 {
			c.put(t, fmt.Sprintf("k%d", i), "v")
		}
	})
	c.until("the commit index", func() bool { return p.commit() >= p.applied+5 })
	// What run does until its batch is durable, and a compaction among it.
	a.waiting, a.current = a.current[:0], a.waiting
	for i := range a.current {
		p.applyTask(a, &a.current[i])
	}
	index := p.applied - 1
	term, err := p.log.Term(index)
	if err != nil {
		t.Fatal(err)
	}
	p.log.compact(index, term)
	p.putApplyState(a)
	if err := s.eng.KV.WriteUnsynced(a.batch); err != nil {
		t.Fatal(err)
	}
	a.batch.Reset()
	if err := p.node.Campaign(); err != nil || looked() == 0 {
		t.Errorf("raft looked %d times: %v", looked(), err)
	}
	if p.log.knownIndex >= index {
		t.Errorf("raft knows of %d already", p.log.knownIndex)
	}
	a.held = false
	a.finish()
	if p.log.knownIndex != index {
		t.Errorf("raft knows of %d, not of %d", p.log.knownIndex, index)
	}
	c.converged()
}
