package faults

import (
	"fmt"
	"strings"
)

// Kind is what happens.
type Kind uint8

// The kinds. The zero value is none.
const (
	_              Kind = iota
	Partition           // a directed cut, or one in both directions
	Isolate             // a group of nodes is cut off from all others
	Clog                // links hold messages and release them at the end
	Network             // links lose, duplicate, reorder and delay
	PowerLoss           // the process ends; unsynced writes may be lost or torn
	Kill                // the process ends; the operating system's page cache survives
	Pause               // the whole process stands still, including its timers
	ClockJump           // the wall clock moves at once
	ClockDrift          // wall and monotonic clock run fast or slow
	DiskStall           // no disk operation completes
	DiskSlow            // disk operations take longer
	DiskError           // one read or write fails
	DiskFull            // writes fail for lack of space
	Split               // a region is split at a key
	TransferLeader      // the leader of a region moves to another peer
	AddPeer             // a region gets a peer on a store
	RemovePeer          // a region loses its peer on a store
	MovePeer            // a region's peer moves from one store to another
	Wipe                // a store loses its disk and starts over as a new one
	Join                // a store that was held back joins the cluster
	Drain               // a store is emptied and removed from the cluster
	Destroy             // a store disappears for good, without notice
	MergeRegions        // a region is merged into one of its neighbours
	Restart             // a node is restarted on purpose, perhaps after it has handed over its leaders
	kindEnd             // not a kind
)

func (k Kind) String() string {
	switch k {
	case Partition:
		return "partition"
	case Isolate:
		return "isolate"
	case Clog:
		return "clog"
	case Network:
		return "network"
	case PowerLoss:
		return "power-loss"
	case Kill:
		return "kill"
	case Pause:
		return "pause"
	case ClockJump:
		return "clock-jump"
	case ClockDrift:
		return "clock-drift"
	case DiskStall:
		return "disk-stall"
	case DiskSlow:
		return "disk-slow"
	case DiskError:
		return "disk-error"
	case DiskFull:
		return "disk-full"
	case Split:
		return "split"
	case TransferLeader:
		return "transfer-leader"
	case AddPeer:
		return "add-peer"
	case RemovePeer:
		return "remove-peer"
	case MovePeer:
		return "move-peer"
	case Wipe:
		return "wipe"
	case Join:
		return "join"
	case Drain:
		return "drain"
	case Destroy:
		return "destroy"
	case MergeRegions:
		return "merge-regions"
	case Restart:
		return "restart"
	case kindEnd:
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Kinds returns every kind, in order.
func Kinds() []Kind {
	all := make([]Kind, 0, kindEnd-1)
	for k := Partition; k < kindEnd; k++ {
		all = append(all, k)
	}
	return all
}

// ParseKind returns the kind of that name.
func ParseKind(name string) (Kind, error) {
	for _, k := range Kinds() {
		if k.String() == name {
			return k, nil
		}
	}
	return 0, fmt.Errorf("unknown fault %q; known are %s", name, kindNames())
}

func kindNames() string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, k.String())
	}
	return strings.Join(names, ", ")
}

// MarshalText makes a Kind a string in plans and scenario files.
func (k Kind) MarshalText() ([]byte, error) {
	if !k.valid() {
		return nil, fmt.Errorf("faults: %v is no kind", k)
	}
	return []byte(k.String()), nil
}

// UnmarshalText is the inverse of MarshalText.
func (k *Kind) UnmarshalText(text []byte) error {
	parsed, err := ParseKind(string(text))
	if err != nil {
		return err
	}
	*k = parsed
	return nil
}

func (k Kind) valid() bool { return k > 0 && k < kindEnd }

// Momentary reports whether faults of the kind have an instant only and
// therefore take no duration.
func (k Kind) Momentary() bool {
	switch k {
	case ClockJump, DiskError, Split, TransferLeader, AddPeer, RemovePeer, MovePeer, Join, Drain, Destroy, MergeRegions:
		return true
	case Partition, Isolate, Clog, Network, PowerLoss, Kill, Pause, ClockDrift, DiskStall, DiskSlow, DiskFull, Wipe, Restart, kindEnd:
	}
	return false
}
