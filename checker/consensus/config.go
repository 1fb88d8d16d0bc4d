package consensus

import "simrun/checker/verdict"

// Epoch numbers the configurations of a group: one counter for its members, one
// for whatever else it consists of.
type Epoch struct{ Members, Version uint64 }

// Configured tells what the entry at an index has made of a peer's group, as the
// peer has applied it or got it by a snapshot of that index: equal on all peers.
// Index 0 stands for what a peer begins with.
func (l *Ledger) Configured(name Peer, index uint64, epoch Epoch, config string) {
	g, p := l.find(name)
	if other, known := g.epochs[epoch]; known && other != config {
		l.fail(verdict.ConfigConflict, p, "takes the group in epoch %d/%d for %s, and another for %s", epoch.Members, epoch.Version, config, other)
	}
	g.epochs[epoch] = config
	if index == 0 {
		return
	}
	if other, known := g.configs[index]; known && other != config {
		l.fail(verdict.ConfigConflict, p, "has at index %d made the group %s, and another %s", index, config, other)
	}
	g.configs[index] = config
}
