// Package nodes joins the parts of the database into servers: a store, and a
// member of the placement driver. Below it,
//
//	env        what a node may know of the world
//	invariant  checks that are always on, and marks of rare branches
//	rpc        requests and responses over datagrams
//	codec      keys and timestamps in bytes
//	engine     Pebble: two databases a store, column families
//	raftstore  regions, each a raft group
//	mvcc       locks, writes and values of transactions
//	txn        the Percolator commands and the raw interface
//	placement  timestamps, ids, the directory of stores and regions
//	client     the library with which programs use the database
//	table      tables, rows and indexes on its transactions; table/sql: as text
//
// Nothing here or below knows the simulator.
package nodes

// ClusterID is the id of the cluster; a process belongs to one only.
const ClusterID = 1
