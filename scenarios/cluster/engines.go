package cluster

import (
	"fmt"
	"time"

	"simrun/nodes/engine"
	"simrun/sim"
)

// EngineStats counts what the two databases of a node did in the background, and
// for how long they held writes back, over all its processes.
type EngineStats struct {
	Node        string
	Flushes     uint64
	Compactions uint64
	Lower       uint64 // of those, between levels below level 0
	Flushed     uint64 // bytes
	Compacted   uint64 // bytes, read and written
	Levels      int    // the most levels of one database that have held tables at a time
	Slowdowns   uint64
	Stops       uint64
	Slowed      time.Duration
	Stopped     time.Duration
}

// engines watches the databases of all nodes.
type engines struct {
	c     *Cluster
	nodes []*nodeEngines // in the order of their first databases
}

// nodeEngines are the databases of one node.
type nodeEngines struct {
	c     *Cluster
	stats EngineStats
	flows [2]flow // of the databases that the process has told of
}

// Databases are the names of a node's databases.
func Databases() []string { return []string{"raft", "kv"} }

// flow is how writes to a database pass, and since when.
type flow struct {
	db    string
	state engine.Flow
	since int64
}

// of returns the engines of a node.
func (e *engines) of(node string) *nodeEngines {
	for _, n := range e.nodes {
		if n.stats.Node == node {
			return n
		}
	}
	n := &nodeEngines{c: e.c, stats: EngineStats{Node: node}}
	e.nodes = append(e.nodes, n)
	return n
}

// ended ends the stalls of a process.
func (e *engines) ended(n *sim.Node) {
	if n.Disk() == nil {
		return
	}
	engines := e.of(n.Name())
	for i := range engines.flows {
		engines.leave(&engines.flows[i])
	}
	engines.flows = [2]flow{}
}

// Engines returns what the databases of the nodes have done, stalls up to now
// included.
func (c *Cluster) Engines() []EngineStats {
	stats := make([]EngineStats, len(c.engines.nodes))
	for i, n := range c.engines.nodes {
		for j := range n.flows {
			n.leave(&n.flows[j])
		}
		stats[i] = n.stats
	}
	return stats
}

// leave counts the time in the state of a flow up to now.
func (n *nodeEngines) leave(f *flow) {
	now := n.c.World.Now()
	switch f.state {
	case engine.Flowing:
	case engine.Slowed:
		n.stats.Slowed += time.Duration(now - f.since)
	case engine.Stopped:
		n.stats.Stopped += time.Duration(now - f.since)
	}
	f.since = now
}

// Worked implements engine.Observer.
func (n *nodeEngines) Worked(db string, w engine.Work) {
	s := &n.stats
	what := "flush"
	if w.Flush {
		s.Flushes++
		s.Flushed += uint64(w.Written)
	} else {
		what = fmt.Sprintf("compaction of level %d into %d", w.From, w.To)
		s.Compactions++
		s.Compacted += uint64(w.Read + w.Written)
		if w.From > 0 {
			s.Lower++
		}
	}
	s.Levels = max(s.Levels, w.Levels)
	n.c.World.Mark(sim.TraceMark, fmt.Sprintf("%s %s: %s, %d bytes read, %d written, %v, %d levels",
		s.Node, db, what, w.Read, w.Written, w.Took, w.Levels))
}

// Stalled implements engine.Observer.
func (n *nodeEngines) Stalled(db string, state engine.Flow, cause engine.Cause) {
	f := &n.flows[0]
	if f.db != "" && f.db != db {
		f = &n.flows[1]
	}
	n.leave(f)
	if state != f.state {
		switch state {
		case engine.Flowing:
		case engine.Slowed:
			n.stats.Slowdowns++
		case engine.Stopped:
			n.stats.Stops++
		}
	}
	f.db, f.state = db, state
	text := fmt.Sprintf("writes of %s %s", db, state)
	kind := Stalled
	if state == engine.Flowing {
		kind = Flowing
	} else {
		text += ": " + cause.String()
	}
	n.c.World.Mark(sim.TraceMark, n.stats.Node+" "+text)
	n.c.tell(Event{Node: n.stats.Node, Kind: kind, Text: text, DB: db})
}
