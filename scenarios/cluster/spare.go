package cluster

// Spare returns the names of the stores of which any one, but not two, may be away now:
// whatever becomes of it, every region keeps a quorum, and so can serve. The placement
// driver keeps its own, for it has machines of its own.
func (c *Cluster) Spare() (names []string) {
	for _, s := range c.stores {
		if c.dispensable(s) {
			names = append(names, s.node.Name())
		}
	}
	return names
}
