package faults

import "slices"

// run is one scheduled fault on its way through its stages.
type run struct {
	s         *Scheduler
	index     int
	fault     Fault
	begun     bool
	waiting   bool // something was armed or asked for
	effective bool
	// parts are what was begun and has to be undone: one for each node or set
	// of links.
	parts []*part
}

// part is one thing that a fault has done or armed.
type part struct {
	run  *run
	node string // empty where the part is about links or regions
	// Exactly one of the two is set while the part is open: undo ends what is
	// in force, disarm prevents what is armed.
	undo   func()
	disarm func()
}

// begin applies the fault to whoever it means now.
func (r *run) begin() {
	r.begun = true
	targets := r.resolve(r.fault.Targets)
	peers := r.resolve(r.fault.Peers)
	effect := r.apply(targets, peers)
	r.effective = r.effective || effect
	event := r.event(Began, effect)
	event.Targets, event.Peers, event.Armed = targets, peers, r.waiting
	r.s.observe(event)
}

// resolve returns the nodes that the targets mean now, each once.
func (r *run) resolve(targets []Target) []string {
	var nodes []string
	for _, t := range targets {
		for _, name := range r.s.inj.Resolve(t) {
			if !slices.Contains(nodes, name) {
				nodes = append(nodes, name)
			}
		}
	}
	return nodes
}

// apply begins the fault and reports whether it took effect at once.
func (r *run) apply(targets, peers []string) bool {
	inj, f := r.s.inj, &r.fault
	switch f.Kind {
	case Partition:
		return r.links(inj.Partition, targets, peers, f.Directed)
	case Isolate:
		return r.links(inj.Partition, targets, without(inj.Nodes(), targets), false)
	case Clog:
		return r.links(inj.Clog, targets, peers, f.Directed)
	case Network:
		return r.network(targets, peers)
	case PowerLoss, Kill:
		if f.Op > 0 {
			return r.every(targets, r.crashAtOp)
		}
		return r.each(targets, func(node string) (func(), bool) { return inj.Crash(node, f.Kind) })
	case Pause:
		return r.each(targets, inj.Pause)
	case ClockJump:
		return r.every(targets, func(node string) bool { return inj.ClockJump(node, f.Jump) })
	case ClockDrift:
		return r.each(targets, func(node string) (func(), bool) { return inj.ClockDrift(node, f.Drift) })
	case DiskStall:
		return r.each(targets, inj.DiskStall)
	case DiskSlow:
		return r.each(targets, func(node string) (func(), bool) { return inj.DiskSlow(node, f.Factor) })
	case DiskError:
		return r.every(targets, r.diskError)
	case DiskFull:
		return r.each(targets, inj.DiskFull)
	case Split:
		r.waiting = inj.Split(f.Key, func() { r.happened("") })
	case TransferLeader:
		r.waiting = inj.TransferLeader(f.Key, func() { r.happened("") })
	case kindEnd:
	}
	return false
}

// links applies something directed in one direction or in both.
func (r *run) links(apply func(from, to []string) (func(), bool), a, b []string, directed bool) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	undo, effect := apply(a, b)
	if directed {
		return r.lasting("")(undo, effect)
	}
	undoBack, effectBack := apply(b, a)
	return r.lasting("")(func() {
		if effect {
			undo()
		}
		if effectBack {
			undoBack()
		}
	}, effect || effectBack)
}

func (r *run) network(targets, peers []string) bool {
	f := &r.fault
	if len(f.Targets) == 0 {
		return r.lasting("")(r.s.inj.Degrade(f.Degradation, nil, nil))
	}
	degrade := func(from, to []string) (func(), bool) { return r.s.inj.Degrade(f.Degradation, from, to) }
	return r.links(degrade, targets, peers, f.Directed)
}

// each applies something lasting to every node.
func (r *run) each(nodes []string, apply func(node string) (func(), bool)) bool {
	effect := false
	for _, node := range nodes {
		effect = r.lasting(node)(apply(node)) || effect
	}
	return effect
}

// every applies something that has no end of its own to every node.
func (r *run) every(nodes []string, apply func(node string) bool) bool {
	effect := false
	for _, node := range nodes {
		effect = apply(node) || effect
	}
	return effect
}

// lasting takes what a method of the Injector returned and sees to its end.
func (r *run) lasting(node string) func(undo func(), effect bool) bool {
	return func(undo func(), effect bool) bool {
		if !effect {
			return false
		}
		p := &part{run: r, node: node, undo: undo}
		r.parts = append(r.parts, p)
		p.limit()
		return true
	}
}

func (r *run) crashAtOp(node string) bool {
	f := &r.fault
	p := &part{run: r, node: node}
	disarm, armed := r.s.inj.CrashAtOp(node, f.Kind, f.Op, func(undo func()) {
		p.disarm, p.undo = nil, undo
		r.happened(node)
		p.limit()
	})
	if !armed {
		return false
	}
	p.disarm = disarm
	r.parts = append(r.parts, p)
	r.waiting = true
	if f.Within > 0 {
		r.s.after(f.Within, p.expire)
	}
	return false // not yet
}

func (r *run) diskError(node string) bool {
	f := &r.fault
	p := &part{run: r, node: node}
	disarm, armed := r.s.inj.DiskError(node, f.Access, f.Nth, func() {
		p.disarm = nil
		r.happened(node)
	})
	if armed {
		p.disarm = disarm
		r.parts = append(r.parts, p)
		r.waiting = true
	}
	return false // not yet
}

// happened records that something that was armed or asked for took effect.
func (r *run) happened(node string) {
	r.effective = true
	r.observe(Happened, node, true)
}

// calm ends whatever the fault still has in force.
func (r *run) calm() {
	if !r.begun {
		r.observe(Skipped, "", false)
		return
	}
	for i := len(r.parts) - 1; i >= 0; i-- {
		r.parts[i].end()
		r.parts[i].expire()
	}
}

// limit posts the end of a part that is in force.
func (p *part) limit() {
	if p.run.fault.For > 0 {
		p.run.s.after(p.run.fault.For, p.end)
	}
}

// end undoes what is in force.
func (p *part) end() {
	if p.undo == nil {
		return
	}
	undo := p.undo
	p.undo = nil
	undo()
	p.run.observe(Ended, p.node, true)
}

// expire disarms what is armed.
func (p *part) expire() {
	if p.disarm == nil {
		return
	}
	disarm := p.disarm
	p.disarm = nil
	disarm()
	p.run.observe(Expired, p.node, false)
}

func (r *run) observe(stage Stage, node string, effect bool) {
	event := r.event(stage, effect)
	if node != "" {
		event.Targets = []string{node}
	}
	r.s.observe(event)
}

func (r *run) event(stage Stage, effect bool) Event {
	return Event{At: r.s.loop.Now(), Index: r.index, Fault: r.fault, Stage: stage, Effect: effect}
}

// without returns the names that are not among the excluded.
func without(names, excluded []string) []string {
	var rest []string
	for _, name := range names {
		if !slices.Contains(excluded, name) {
			rest = append(rest, name)
		}
	}
	return rest
}
