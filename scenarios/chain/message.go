package chain

import (
	"encoding/json"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// kind is what a message is, by the name that faults use.
type kind string

const (
	who       kind = "who"       // client to master: who is in the chain?
	heartbeat kind = "heartbeat" // replica to master: I am here
	config    kind = "config"    // the answer to both
	write     kind = "write"     // client to head
	read      kind = "read"      // client to tail
	reply     kind = "reply"     // to a client
	forward   kind = "forward"   // replica to successor: entries
	have      kind = "have"      // replica to predecessor: what it has, what is stable
)

// message is every message; a kind uses the fields that it needs.
type message struct {
	Kind  kind   `json:"kind"`
	Epoch uint64 `json:"epoch,omitempty"`

	Request int    `json:"request,omitempty"` // who, write, read, reply: unique
	Key     string `json:"key,omitempty"`
	Value   string `json:"value,omitempty"`
	By      string `json:"by,omitempty"` // reply: who answers, for people

	Chain  *Chain `json:"chain,omitempty"`  // config
	Life   uint64 `json:"life,omitempty"`   // heartbeat, config: of which process
	Beat   int    `json:"beat,omitempty"`   // heartbeat, config: which one
	Synced bool   `json:"synced,omitempty"` // heartbeat, have: has caught up in Epoch

	Prev     int     `json:"prev,omitempty"`      // forward: the index before Entries
	PrevReq  int     `json:"prev_req,omitempty"`  // forward: the request there
	Entries  []entry `json:"entries,omitempty"`   // forward
	Total    int     `json:"total,omitempty"`     // forward: how many the sender has
	Have     int     `json:"have,omitempty"`      // have: how many are durable
	HaveLast int     `json:"have_last,omitempty"` // have: the request of the last one
	Stable   int     `json:"stable,omitempty"`    // have: how many the tail has
}

// Chain is who replicates, from head to tail.
type Chain struct {
	Epoch   uint64     `json:"epoch"`
	Members []env.Addr `json:"members"`
	// Joining is the last member, if it does not have everything yet; it has been one
	// since JoinEpoch.
	Joining   env.Addr `json:"joining,omitempty"`
	JoinEpoch uint64   `json:"join_epoch,omitempty"`
}

func (c *Chain) place(a env.Addr) int {
	for i, m := range c.Members {
		if m == a {
			return i
		}
	}
	return -1
}

func (m *message) bytes() []byte {
	b, err := json.Marshal(m)
	invariant.Check(err == nil, "chain: a message does not encode: %v", err)
	return b
}

func parse(b []byte) *message {
	m := &message{}
	err := json.Unmarshal(b, m)
	invariant.Check(err == nil, "chain: a message does not decode: %v", err)
	return m
}
