package plan

import (
	"maps"
	"slices"
	"strconv"
)

// StoreNames returns the names of the stores: store1, store2, ...
func (p *Plan) StoreNames() []string { return numbered("store", p.Cluster.Stores) }

// JoiningNames returns the names of the stores that are not there from the start.
func (p *Plan) JoiningNames() []string {
	return p.StoreNames()[min(max(p.Cluster.Stores-p.Cluster.Joining, 0), max(p.Cluster.Stores, 0)):]
}

// PlacementNames returns the names of the placement members: pd1, ...
func (p *Plan) PlacementNames() []string { return numbered("pd", p.Cluster.Placement) }

// ClientNames returns the names of the clients: client1, client2, ...
func (p *Plan) ClientNames() []string { return numbered("client", p.Workload.Clients) }

// NodeNames returns the names of all nodes: stores, placement, clients.
func (p *Plan) NodeNames() []string {
	return slices.Concat(p.StoreNames(), p.PlacementNames(), p.ClientNames())
}

func numbered(prefix string, n int) []string {
	names := make([]string, 0, max(n, 0))
	for i := range n {
		names = append(names, prefix+strconv.Itoa(i+1))
	}
	return names
}

func sortedKeys(m map[string]int) []string { return slices.Sorted(maps.Keys(m)) }
