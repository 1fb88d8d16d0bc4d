// Package placement is the placement driver: it hands out timestamps and ids,
// and knows which stores there are and which region is where.
//
//	db, err := engine.OpenDB(e, "placement", engine.Options{})
//	srv, err := placement.Open(e, placement.Config{ClusterID: 1, Regions: ...}, db)
//	srv.Register(ep)
//
// Stores and clients reach it through a Client:
//
//	pd := placement.NewClient(e, ep, placement.ClientConfig{ClusterID: 1, Members: []string{"pd1"}})
//	ts, err := pd.GetTS(t, limit)
//	region, leader, err := pd.GetRegion(t, key, limit)
//
// # What it owns, and what it caches
//
// It owns timestamps, ids and the list of stores: they survive power loss.
// Timestamps and ids are handed out from windows whose upper bound is durable
// before the first one is used; after a restart it begins above the bound.
//
// Regions are owned by the stores. What placement knows of them comes from the
// heartbeats of their leaders; a heartbeat that is older than what is known is
// rejected, for it may come from a leader that was deposed long ago.
//
// # Members
//
// There is one member. The protocol is that of several: what must survive is
// written through Storage, which may refuse because another member leads;
// a member that does not lead says so and names the one that does; a client
// tries the members in turn.
package placement
