package faults

import (
	"strconv"
	"strings"
	"time"
)

// DriftMax bounds the drift of a clock, in parts per million and in both directions: half
// speed to one and a half. It is what the simulator's clocks can do.
const DriftMax = 500_000

// Ranges of the numbers in a fault, unless said otherwise beginning with 1.
const (
	opMax     = 1_000_000
	factorMax = 10_000 // of DiskSlow, from 2
	nthMax    = 1_000_000
	perMille  = 1000
)

// Parse reads one line as String prints it. The error is a *ParseError.
func Parse(line string) (Fault, error) {
	p := parser{newScanner(line)}
	f := p.fault()
	if p.err != nil {
		return Fault{}, p.err
	}
	return f, nil
}

// parser has a method for each part of the language. After an error they
// return anything.
type parser struct{ *scanner }

func (p parser) fault() Fault {
	var f Fault
	if !p.accept("at") {
		p.fail(p.next, "a fault begins with its instant, found %v: write at 1.5s partition store1 | store2", p.next)
	}
	f.At = p.duration("the instant", 0)
	f.Kind = p.kind()
	p.body(&f)
	if at := p.next; p.accept("for") {
		if f.Kind.Momentary() {
			p.fail(at, "%v happens in an instant: leave out the for", f.Kind)
		}
		f.For = p.duration("how long it lasts", 1)
	}
	if p.next.text != "" {
		p.fail(p.next, "did not expect %v here: %s", p.next, usage(f.Kind))
	}
	return f
}

// body reads what is particular to the kind.
func (p parser) body(f *Fault) {
	switch f.Kind {
	case Partition, Clog:
		p.sides(f)
	case Isolate, Pause, DiskStall, DiskFull, Join, Drain, Destroy:
		f.Targets = p.targets(f.Kind)
	case Wipe:
		f.Targets = p.targets(f.Kind)
		f.Regardless = p.accept("regardless")
	case Network:
		p.degradation(f)
		if p.accept("of") {
			f.Degradation.Of = p.messages()
		}
		if p.accept("on") {
			p.sides(f)
		}
	case Restart:
		f.Targets = p.targets(f.Kind)
		if p.accept("within") {
			f.Within = p.duration("within", 1)
		}
	case PowerLoss, Kill:
		p.crash(f)
	case ClockJump:
		f.Targets = p.targets(f.Kind)
		p.jump(f)
	case ClockDrift:
		f.Targets = p.targets(f.Kind)
		p.drift(f)
	case DiskSlow:
		f.Targets = p.targets(f.Kind)
		f.Factor = p.factor()
	case DiskError:
		f.Targets = p.targets(f.Kind)
		p.access(f)
	case Split, TransferLeader, MergeRegions:
		f.Key = p.key()
	case AddPeer, RemovePeer, MovePeer:
		f.Key = p.key()
		f.Targets = []Target{p.target(f.Kind)}
		if f.Kind == MovePeer {
			f.Peers = []Target{p.target(f.Kind)}
		}
	case kindEnd:
	}
}

// usage is the remedy where the shape of a line is wrong.
func usage(k Kind) string {
	example := "at 1s " + k.String() + " "
	switch k {
	case Partition, Clog:
		example += "store1,store2 -> store3 for 800ms, or with | for both directions"
	case Wipe:
		example += "store1 for 800ms, or store1 regardless for 800ms if data may be lost"
	case Isolate, Pause, DiskStall, DiskFull:
		example += "store1 for 800ms"
	case Network:
		example += "loss 5% duplicate 2% reorder 3% latency 20ms on store1 | store2 for 2s"
	case Restart:
		example += "store1 for 500ms, or store1 within 1s for 500ms to let it hand its leaders over first"
	case PowerLoss, Kill:
		example += "store1 for 500ms, or store1 at-op 17 within 1s for 500ms"
	case ClockJump:
		example += "store1 +500ms, or store1 -2s"
	case ClockDrift:
		example += "store1 +2000ppm for 3s"
	case DiskSlow:
		example += "store1 x20 for 1s"
	case DiskError:
		example += "store1 read 3, or store1 write 2 within 1s"
	case Split, TransferLeader, MergeRegions:
		example += "k0042"
	case AddPeer, RemovePeer:
		example += "k0042 store4"
	case MovePeer:
		example += "k0042 store1 store4"
	case Join, Drain, Destroy:
		example += "store4"
	case kindEnd:
	}
	return "write " + example
}

func (p parser) kind() Kind {
	at := p.take()
	k, err := ParseKind(at.text)
	switch {
	case at.text == "":
		p.fail(at, "expected what happens, found %v: write one of %s", at, kindNames())
	case err != nil:
		p.fail(at, "%v", err)
	}
	return k
}

func (p parser) sides(f *Fault) {
	f.Targets = p.targets(f.Kind)
	switch at := p.take(); at.text {
	case "->":
		f.Directed = true
	case "|":
	default:
		p.fail(at, "expected -> or | between the two sides, found %v: %s", at, usage(f.Kind))
	}
	f.Peers = p.targets(f.Kind)
}

func (p parser) targets(k Kind) []Target {
	list := []Target{p.target(k)}
	for p.accept(",") {
		list = append(list, p.target(k))
	}
	return list
}

func (p parser) target(k Kind) Target {
	at := p.take()
	switch at.text {
	case "all-stores":
		return AllStores()
	case "all-clients":
		return AllClients()
	case "placement":
		return Placement()
	case "placement-leader":
		return PlacementLeader()
	case "snapshot-receiver":
		return SnapshotReceiver()
	case "snapshot-sender":
		return SnapshotSender()
	case "merging":
		return Merging()
	case "merge-target":
		return MergeTarget()
	case "leader":
		return Leader(p.keyInParentheses(at))
	case "follower":
		return Follower(p.keyInParentheses(at))
	}
	if !ValidName(at.text) {
		p.fail(at, "expected the name of a node, all-stores, all-clients, placement, placement-leader, snapshot-receiver, snapshot-sender, merging, merge-target, leader(KEY) or follower(KEY), found %v: %s", at, usage(k))
	}
	return Node(at.text)
}

func (p parser) keyInParentheses(of token) string {
	if !p.accept("(") {
		p.fail(p.next, "expected ( after %v: write %s(k0042)", of, of.text)
	}
	key := p.key()
	if !p.accept(")") {
		p.fail(p.next, "expected ) after the key, found %v", p.next)
	}
	return key
}

func (p parser) key() string {
	at := p.take()
	if strings.HasPrefix(at.text, `"`) {
		key, err := strconv.Unquote(at.text)
		if err != nil {
			p.fail(at, "%v is not quoted as in Go: write \"a\\x00b\"", at)
		}
		return key
	}
	if at.text == "" || strings.IndexFunc(at.text, func(r rune) bool { return !bareKeyRune(r) }) >= 0 {
		p.fail(at, "expected a key, found %v: write k0042, or in quotes what is not letters, digits and _./:-", at)
	}
	return at.text
}

// duration reads one from lowest to TimeMax.
func (p parser) duration(what string, lowest time.Duration) time.Duration {
	at := p.take()
	d, err := ParseDuration(at.text)
	switch {
	case at.text == "":
		p.fail(at, "expected %s, found %v: write a number and a unit, such as 1.5s", what, at)
	case err != nil:
		p.fail(at, "%s: %v", what, err)
	case d < lowest || d > TimeMax:
		p.fail(at, "%s, %s, is out of range: write %s to %s", what, at.text, FormatDuration(lowest), FormatDuration(TimeMax))
	}
	return d
}

// integer reads digits that lie between two bounds.
func (p parser) integer(at token, digits, what string, lowest, highest int) int {
	n, err := strconv.Atoi(digits)
	if err != nil || n < lowest || n > highest {
		p.fail(at, "%s: found %v, expected a number from %d to %d", what, at, lowest, highest)
	}
	return n
}
