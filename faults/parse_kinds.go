package faults

import (
	"strconv"
	"strings"
)

// degradation reads pairs of a word and its value. Each may come once, in any
// order; String prints them in one.
func (p parser) degradation(f *Fault) {
	d := &f.Degradation
	for p.err == nil {
		at := p.next
		var repeated bool
		switch at.text {
		case "loss":
			repeated, d.Loss = d.Loss != 0, p.chance()
		case "duplicate":
			repeated, d.Duplicate = d.Duplicate != 0, p.chance()
		case "reorder":
			repeated, d.Reorder = d.Reorder != 0, p.chance()
		case "latency":
			p.take()
			repeated, d.Latency = d.Latency != 0, p.duration("the latency", 1)
		default:
			if *d == (Degradation{}) {
				p.fail(at, "expected loss, duplicate, reorder or latency, found %v: %s", at, usage(f.Kind))
			}
			return
		}
		if repeated {
			p.fail(at, "%s stands twice: keep one", at.text)
		}
	}
}

// messages reads the name of a kind of messages. Which there are is the system's
// business.
func (p parser) messages() string {
	at := p.take()
	if !ValidName(at.text) {
		p.fail(at, "expected a kind of messages, such as KvPrewrite, found %v: %s", at, usage(Network))
	}
	return at.text
}

// chance reads a word and the percentage after it, as per mille.
func (p parser) chance() int {
	what := p.take().text
	at := p.take()
	whole, isPercentage := strings.CutSuffix(at.text, "%")
	whole, tenth, hasTenth := strings.Cut(whole, ".")
	n, err := strconv.ParseUint(whole, 10, 16)
	n *= 10
	if hasTenth && err == nil {
		var digit uint64
		digit, err = strconv.ParseUint(tenth, 10, 8)
		n += digit
	}
	if err != nil || !isPercentage || hasTenth && len(tenth) != 1 || n == 0 || n > perMille {
		p.fail(at, "%s: found %v, expected a percentage from 0.1%% to 100%% with one decimal at most", what, at)
	}
	return int(n)
}

func (p parser) crash(f *Fault) {
	f.Targets = p.targets(f.Kind)
	if p.accept("at-op") {
		f.Op = p.integer(p.next, p.next.text, "at-op", 1, opMax)
		p.take()
	}
	if at := p.next; p.accept("within") {
		if f.Op == 0 {
			p.fail(at, "within needs an operation to wait for: %s", usage(f.Kind))
		}
		f.Within = p.duration("within", 1)
	}
}

func (p parser) jump(f *Fault) {
	at := p.next
	f.Jump = p.duration("the jump", -TimeMax)
	if f.Jump == 0 {
		p.fail(at, "a jump by nothing is no fault: %s", usage(f.Kind))
	}
}

func (p parser) drift(f *Fault) {
	at := p.take()
	digits, ok := strings.CutSuffix(at.text, "ppm")
	if !ok {
		p.fail(at, "expected the drift in parts per million, found %v: %s", at, usage(f.Kind))
	}
	f.Drift = p.integer(at, digits, "the drift in ppm", -DriftMax, DriftMax)
	if f.Drift == 0 {
		p.fail(at, "a drift of nothing is no fault: %s", usage(f.Kind))
	}
}

func (p parser) factor() int {
	at := p.take()
	digits, ok := strings.CutPrefix(at.text, "x")
	if !ok {
		p.fail(at, "expected the factor, found %v: %s", at, usage(DiskSlow))
	}
	return p.integer(at, digits, "the factor", 2, factorMax)
}

func (p parser) access(f *Fault) {
	switch at := p.take(); at.text {
	case "read":
		f.Access = Read
	case "write":
		f.Access = Write
	default:
		p.fail(at, "expected read or write, found %v: %s", at, usage(f.Kind))
	}
	f.Nth = p.integer(p.next, p.next.text, "which access fails", 1, nthMax)
	p.take()
	if p.accept("within") {
		f.Within = p.duration("within", 1)
	}
}
