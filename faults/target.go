package faults

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// TargetKind is how a target names its nodes.
type TargetKind uint8

// The kinds of targets. The zero value is none.
const (
	_                      TargetKind = iota
	TargetNode                        // the node of that name, or the nodes that the system calls so
	TargetAllStores                   // every store of the cluster
	TargetAllClients                  // every client
	TargetPlacement                   // every member of the placement driver
	TargetPlacementLeader             // the member that leads it
	TargetSnapshotReceiver            // the first store that is receiving or applying a snapshot
	TargetSnapshotSender              // the first store that is making or sending a snapshot
	TargetLeader                      // the store that leads the region of the key
	TargetFollower                    // the first store of that region that does not lead it
	TargetMerging                     // the store that leads a region that is merging
	TargetMergeTarget                 // the store that leads the region into which it is merged
	targetEnd                         // not a kind
)

func (k TargetKind) String() string {
	switch k {
	case TargetNode:
		return "node"
	case TargetAllStores:
		return "all-stores"
	case TargetAllClients:
		return "all-clients"
	case TargetPlacement:
		return "placement"
	case TargetPlacementLeader:
		return "placement-leader"
	case TargetSnapshotReceiver:
		return "snapshot-receiver"
	case TargetSnapshotSender:
		return "snapshot-sender"
	case TargetLeader:
		return "leader"
	case TargetFollower:
		return "follower"
	case TargetMerging:
		return "merging"
	case TargetMergeTarget:
		return "merge-target"
	case targetEnd:
	}
	return fmt.Sprintf("TargetKind(%d)", uint8(k))
}

// Target names one node or several. All but TargetNode are bound late: they
// mean whoever it is at the instant of the fault.
type Target struct {
	Kind TargetKind
	Name string // of a node; empty unless Kind is TargetNode
	Key  string // of a region; empty unless Kind is TargetLeader or TargetFollower
}

// Node is the target of that name.
func Node(name string) Target { return Target{Kind: TargetNode, Name: name} }

// AllStores is every store of the cluster.
func AllStores() Target { return Target{Kind: TargetAllStores} }

// AllClients is every client.
func AllClients() Target { return Target{Kind: TargetAllClients} }

// Placement is every member of the placement driver.
func Placement() Target { return Target{Kind: TargetPlacement} }

// PlacementLeader is the member that leads the placement driver.
func PlacementLeader() Target { return Target{Kind: TargetPlacementLeader} }

// SnapshotReceiver is the first store, by name, that is receiving a snapshot or
// applying one.
func SnapshotReceiver() Target { return Target{Kind: TargetSnapshotReceiver} }

// SnapshotSender is the first store, by name, that is making a snapshot or sending
// one.
func SnapshotSender() Target { return Target{Kind: TargetSnapshotSender} }

// Merging is the store that leads a region which is merging, the first one if
// there are several.
func Merging() Target { return Target{Kind: TargetMerging} }

// MergeTarget is the store that leads the region into which that one goes.
func MergeTarget() Target { return Target{Kind: TargetMergeTarget} }

// Leader is the store that leads the region of key.
func Leader(key string) Target { return Target{Kind: TargetLeader, Key: key} }

// Follower is the first store, by name, that has a peer of the region of key
// and does not lead it.
func Follower(key string) Target { return Target{Kind: TargetFollower, Key: key} }

// String is the target as it stands in the text of a fault.
func (t Target) String() string {
	switch t.Kind {
	case TargetNode:
		return t.Name
	case TargetLeader, TargetFollower:
		return t.Kind.String() + "(" + formatKey(t.Key) + ")"
	case TargetAllStores, TargetAllClients, TargetPlacement, TargetPlacementLeader, TargetSnapshotReceiver, TargetSnapshotSender, TargetMerging, TargetMergeTarget, targetEnd:
	}
	return t.Kind.String()
}

func formatTargets(targets []Target) string {
	texts := make([]string, len(targets))
	for i, t := range targets {
		texts[i] = t.String()
	}
	return strings.Join(texts, ",")
}

// formatKey quotes a key that the text of a fault could not hold as it is. Keys
// are bytes: the quoted form keeps those that are no text.
func formatKey(key string) string {
	if key != "" && strings.IndexFunc(key, func(r rune) bool { return !bareKeyRune(r) }) < 0 {
		return key
	}
	return strconv.QuoteToASCII(key)
}

func bareKeyRune(r rune) bool { return nameRune(r) || r == '/' || r == ':' }

func nameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' || r == '.'
}

// ValidName reports whether a node of that name can stand in the text of a
// fault: letters, digits, _, - and ., and no word of the language.
func ValidName(name string) bool {
	return name != "" &&
		strings.IndexFunc(name, func(r rune) bool { return !nameRune(r) }) < 0 &&
		!slices.Contains(reserved(), name)
}

// reserved are the words that may follow a list of targets or stand for one.
func reserved() []string {
	return []string{
		"all-stores", "all-clients", "placement", "placement-leader", "snapshot-receiver", "snapshot-sender", "merging", "merge-target", "leader", "follower",
		"for", "of", "on", "at-op", "within", "read", "write",
	}
}
