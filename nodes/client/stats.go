package client

// Stats counts what a client did.
type Stats struct {
	Calls      [256]uint64 // attempts to stores, by rpc.Method
	Lost       uint64      // attempts of unknown outcome
	Timestamps uint64      // timestamps asked of placement
}
