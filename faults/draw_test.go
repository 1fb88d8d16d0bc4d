package faults_test

import (
	"time"

	"pgregory.net/rapid"

	"simrun/faults"
)

// drawFault draws any valid fault.
func drawFault(t *rapid.T) faults.Fault {
	f := faults.Fault{
		At:   time.Duration(rapid.Int64Range(0, int64(faults.TimeMax)).Draw(t, "at")),
		Kind: rapid.SampledFrom(faults.Kinds()).Draw(t, "kind"),
	}
	if !f.Kind.Momentary() {
		f.For = time.Duration(rapid.Int64Range(0, int64(faults.TimeMax)).Draw(t, "for"))
	}
	number := func(lowest, highest int) int { return rapid.IntRange(lowest, highest).Draw(t, "number") }
	switch f.Kind {
	case faults.Partition, faults.Clog:
		drawSides(t, &f)
	case faults.Network:
		f.Degradation = faults.Degradation{
			Loss: number(0, 1000), Duplicate: number(0, 1000), Reorder: number(1, 1000),
			Latency: time.Duration(number(0, 1_000_000)),
		}
		if rapid.Bool().Draw(t, "of") {
			f.Degradation.Of = "KvPrewrite"
		}
		if rapid.Bool().Draw(t, "on") {
			drawSides(t, &f)
		}
	case faults.Split, faults.TransferLeader, faults.MergeRegions:
		f.Key = drawKey(t)
	case faults.AddPeer, faults.RemovePeer:
		f.Key, f.Targets = drawKey(t), drawTargets(t)[:1]
	case faults.MovePeer:
		f.Key, f.Targets, f.Peers = drawKey(t), drawTargets(t)[:1], drawTargets(t)[:1]
	default:
		f.Targets = drawTargets(t)
		drawParameters(t, &f, number)
	}
	return f
}

func drawParameters(t *rapid.T, f *faults.Fault, number func(lowest, highest int) int) {
	signed := func(n int) int {
		if rapid.Bool().Draw(t, "negative") {
			return -n
		}
		return n
	}
	switch f.Kind {
	case faults.PowerLoss, faults.Kill:
		f.Op = number(0, 1_000_000)
		if f.Op > 0 {
			f.Within = time.Duration(number(0, 1_000_000_000))
		}
	case faults.ClockJump:
		f.Jump = time.Duration(signed(number(1, 1_000_000_000)))
	case faults.ClockDrift:
		f.Drift = signed(number(1, faults.DriftMax))
	case faults.DiskSlow:
		f.Factor = number(2, 10_000)
	case faults.DiskError:
		f.Access = rapid.SampledFrom([]faults.Access{faults.Read, faults.Write}).Draw(t, "access")
		f.Nth = number(1, 1_000_000)
		f.Within = time.Duration(number(0, 1_000_000_000))
	default:
	}
}

func drawSides(t *rapid.T, f *faults.Fault) {
	f.Targets, f.Peers = drawTargets(t), drawTargets(t)
	f.Directed = rapid.Bool().Draw(t, "directed")
}

func drawTargets(t *rapid.T) []faults.Target {
	return rapid.SliceOfN(rapid.Custom(drawTarget), 1, 4).Draw(t, "targets")
}

func drawTarget(t *rapid.T) faults.Target {
	switch rapid.IntRange(0, 10).Draw(t, "target") {
	case 0:
		return faults.AllStores()
	case 1:
		return faults.Placement()
	case 2:
		return faults.Leader(drawKey(t))
	case 3:
		return faults.Follower(drawKey(t))
	case 4:
		return faults.PlacementLeader()
	case 5:
		return faults.SnapshotReceiver()
	case 6:
		return faults.SnapshotSender()
	case 7:
		return faults.Merging()
	case 8:
		return faults.MergeTarget()
	case 9:
		return faults.AllClients()
	}
	return faults.Node(rapid.StringMatching(`[a-z][A-Za-z0-9_.-]*`).Filter(faults.ValidName).Draw(t, "name"))
}

// drawKey draws bytes: keys need not be text.
func drawKey(t *rapid.T) string {
	if rapid.Bool().Draw(t, "bytes") {
		return string(rapid.SliceOf(rapid.Byte()).Draw(t, "key"))
	}
	return rapid.String().Draw(t, "key")
}
