package network

import (
	"fmt"
	"time"
)

// Config is what New needs besides the loop.
type Config struct {
	// Default is the configuration of every link for which SetLink was not
	// called. Links of an address to itself are exempt: they deliver in the
	// instant of sending and lose nothing, whatever Default says.
	Default LinkConfig

	// Kind names the kind of a message, by which a Degradation may be aimed. Nil
	// tells none apart.
	Kind func(payload []byte) string
}

// LinkConfig describes one directed link. The zero value delivers everything
// at once.
type LinkConfig struct {
	// LatencyMin and LatencyMax bound the latency of the link: one value
	// between them, drawn once for each link, so that some pairs are near and
	// some far. LatencyMax must not be below LatencyMin.
	LatencyMin, LatencyMax time.Duration

	// Jitter is the most by which a message is later than the link's latency;
	// each message draws between zero and Jitter.
	Jitter time.Duration

	// Loss, Duplicate and Reorder are chances per message, per mille. Reorder
	// sends the message on a detour; Duplicate sends a copy on one.
	Loss, Duplicate, Reorder int

	// Detour is the most by which a reordered message or a copy is late. The
	// magnitude is drawn first and the value within it second, so that short
	// and long detours are about equally frequent. Zero means DefaultDetour.
	Detour time.Duration

	// Unordered lets jitter reorder messages. Otherwise a message that drew
	// little jitter waits for the ones that were sent before it.
	Unordered bool

	// Bandwidth is what the link carries, in bytes per virtual second. A message
	// waits until the ones before it have been transmitted. Zero is unlimited;
	// otherwise it is at least 1,000.
	Bandwidth int64

	// QueueMax is the longest a message waits for transmission; one that would
	// have to wait longer is dropped (tail drop). Zero is unlimited. It has no
	// meaning without Bandwidth.
	QueueMax time.Duration
}

// DefaultDetour is the Detour of a LinkConfig that names none.
const DefaultDetour = 100 * time.Millisecond

// delayMax bounds every delay of a configuration, so that no sum of instants
// and delays can overflow.
const delayMax = 24 * time.Hour

// Bounds of Bandwidth, for the same reason.
const (
	bandwidthMin = 1000
	bandwidthMax = 1 << 40
)

// Validate reports the first field that is out of range.
func (c LinkConfig) Validate() error {
	delays := []struct {
		name  string
		value time.Duration
	}{
		{"LatencyMin", c.LatencyMin},
		{"LatencyMax", c.LatencyMax},
		{"Jitter", c.Jitter},
		{"Detour", c.Detour},
		{"QueueMax", c.QueueMax},
	}
	for _, d := range delays {
		if d.value < 0 || d.value > delayMax {
			return fmt.Errorf("network: %s %v is out of range, 0 to %v", d.name, d.value, delayMax)
		}
	}
	if c.LatencyMax < c.LatencyMin {
		return fmt.Errorf("network: LatencyMax %v is below LatencyMin %v", c.LatencyMax, c.LatencyMin)
	}
	chances := []struct {
		name  string
		value int
	}{{"Loss", c.Loss}, {"Duplicate", c.Duplicate}, {"Reorder", c.Reorder}}
	for _, p := range chances {
		if p.value < 0 || p.value > perMille {
			return fmt.Errorf("network: %s %d is out of range, 0 to %d per mille", p.name, p.value, perMille)
		}
	}
	if c.Bandwidth != 0 && (c.Bandwidth < bandwidthMin || c.Bandwidth > bandwidthMax) {
		return fmt.Errorf("network: Bandwidth %d is out of range, 0 or %d to %d bytes per second",
			c.Bandwidth, bandwidthMin, int64(bandwidthMax))
	}
	return nil
}

// Degradation is what a fault adds to a link for a while. Degradations of a
// link add up; chances stop at certainty.
type Degradation struct {
	// Loss, Duplicate and Reorder are per mille.
	Loss, Duplicate, Reorder int
	// Latency is added to the link's own.
	Latency time.Duration

	// Of restricts it to messages of one kind, see Config.Kind; empty is all. A
	// message that is late for its kind holds up nobody: the ones behind it pass.
	Of string
}

func (d Degradation) plus(e Degradation) Degradation {
	return Degradation{
		Loss: d.Loss + e.Loss, Duplicate: d.Duplicate + e.Duplicate, Reorder: d.Reorder + e.Reorder,
		Latency: d.Latency + e.Latency,
	}
}

// minus takes e back. It stops at zero, so that a Restore may come after
// HealAll, which has taken everything back already.
func (d Degradation) minus(e Degradation) Degradation {
	return Degradation{
		Loss:      max(d.Loss-e.Loss, 0),
		Duplicate: max(d.Duplicate-e.Duplicate, 0),
		Reorder:   max(d.Reorder-e.Reorder, 0),
		Latency:   max(d.Latency-e.Latency, 0),
	}
}

// Stats counts messages. At any time
//
//	Sent + Duplicated = Delivered + Lost + Cut + Overflowed + in flight.
type Stats struct {
	Sent       uint64 `json:"sent"`       // calls of Send
	Delivered  uint64 `json:"delivered"`  // calls of deliver, copies included
	Lost       uint64 `json:"lost"`       // drawn to be lost
	Cut        uint64 `json:"cut"`        // lost to a cut, copies included
	Overflowed uint64 `json:"overflowed"` // dropped because QueueMax was exceeded
	Duplicated uint64 `json:"duplicated"` // copies that were sent
	Reordered  uint64 `json:"reordered"`  // originals that were overtaken and delivered
	Clogged    uint64 `json:"clogged"`    // held by a clogged link, copies included
	Bytes      uint64 `json:"bytes"`      // payload bytes of all calls of Send
}
