package faults

import (
	"strconv"
	"time"
)

// String is the fault as one line, which Parse reads back.
func (f Fault) String() string {
	b := append([]byte("at "), FormatDuration(f.At)...)
	b = append(b, ' ')
	b = append(b, f.Kind.String()...)
	b = f.appendBody(b)
	if f.For != 0 {
		b = appendWord(b, "for", FormatDuration(f.For))
	}
	return string(b)
}

// appendBody appends what is particular to the kind.
func (f Fault) appendBody(b []byte) []byte {
	switch f.Kind {
	case Partition, Clog:
		return f.appendSides(b)
	case Network:
		b = f.Degradation.append(b)
		if len(f.Targets) > 0 {
			b = append(b, " on"...)
			b = f.appendSides(b)
		}
		return b
	case Split, TransferLeader, MergeRegions:
		return appendWord(b, formatKey(f.Key))
	case AddPeer, RemovePeer:
		return appendWord(b, formatKey(f.Key), formatTargets(f.Targets))
	case MovePeer:
		return appendWord(b, formatKey(f.Key), formatTargets(f.Targets), formatTargets(f.Peers))
	case Join, Drain, Destroy, Isolate, Wipe, Pause, DiskStall, DiskFull, PowerLoss, Kill, Restart, ClockJump, ClockDrift, DiskSlow, DiskError, kindEnd:
	}
	b = appendWord(b, formatTargets(f.Targets))
	switch f.Kind {
	case PowerLoss, Kill:
		if f.Op != 0 {
			b = appendWord(b, "at-op", strconv.Itoa(f.Op))
		}
		b = f.appendWithin(b)
	case Restart:
		b = f.appendWithin(b)
	case ClockJump:
		b = appendWord(b, sign(f.Jump > 0)+FormatDuration(f.Jump))
	case ClockDrift:
		b = appendWord(b, sign(f.Drift > 0)+strconv.Itoa(f.Drift)+"ppm")
	case DiskSlow:
		b = appendWord(b, "x"+strconv.Itoa(f.Factor))
	case DiskError:
		b = appendWord(b, f.Access.String(), strconv.Itoa(f.Nth))
		b = f.appendWithin(b)
	case Wipe:
		if f.Regardless {
			b = appendWord(b, "regardless")
		}
	case Isolate, Pause, DiskStall, DiskFull, Partition, Clog, Network,
		Split, TransferLeader, MergeRegions, AddPeer, RemovePeer, MovePeer, Join, Drain, Destroy, kindEnd:
	}
	return b
}

func (f Fault) appendWithin(b []byte) []byte {
	if f.Within == 0 {
		return b
	}
	return appendWord(b, "within", FormatDuration(f.Within))
}

func (f Fault) appendSides(b []byte) []byte {
	arrow := "|"
	if f.Directed {
		arrow = "->"
	}
	return appendWord(b, formatTargets(f.Targets), arrow, formatTargets(f.Peers))
}

func (d Degradation) append(b []byte) []byte {
	chance := func(name string, perMille int) {
		if perMille != 0 {
			b = appendWord(b, name, formatPercent(perMille))
		}
	}
	chance("loss", d.Loss)
	chance("duplicate", d.Duplicate)
	chance("reorder", d.Reorder)
	if d.Latency != 0 {
		b = appendWord(b, "latency", FormatDuration(d.Latency))
	}
	if d.Of != "" {
		b = appendWord(b, "of", d.Of)
	}
	return b
}

func appendWord(b []byte, words ...string) []byte {
	for _, w := range words {
		b = append(b, ' ')
		b = append(b, w...)
	}
	return b
}

// sign is the sign that Go's formatting leaves out.
func sign(positive bool) string {
	if positive {
		return "+"
	}
	return ""
}

// formatPercent prints a number per mille as a percentage, which needs one
// decimal at most.
func formatPercent(perMille int) string {
	text := strconv.Itoa(perMille / 10)
	if rest := perMille % 10; rest != 0 {
		text += "." + strconv.Itoa(max(rest, -rest))
	}
	return text + "%"
}

// seconds prints an instant for people, to the microsecond.
func seconds(d time.Duration) string { return FormatDuration(d.Truncate(time.Microsecond)) }
