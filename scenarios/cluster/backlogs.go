package cluster

// BacklogStats is how much has waited at most, on a store and over all its
// processes, for its disk.
type BacklogStats struct {
	Node   string
	Append uint64 // bytes of entries that were to be durable in the log
	Apply  uint64 // bytes of entries that were committed and to be applied
}

// Backlogs returns the peaks of the stores so far.
func (c *Cluster) Backlogs() []BacklogStats {
	stats := make([]BacklogStats, len(c.stores))
	for i, s := range c.stores {
		stats[i] = BacklogStats{
			Node: s.node.Name(), Append: uint64(s.backlogs.Append.Peak), Apply: uint64(s.backlogs.Apply.Peak),
		}
	}
	return stats
}
