package faults

import "slices"

// run is one scheduled fault on its way through its stages.
type run struct {
	s         *Scheduler
	index     int
	fault     Fault
	begun     bool
	waiting   bool // something was armed or asked for
	effective bool // something was hit: by what is in force, only once it has ended
	// parts are what was begun and has to be undone: one for each node or set
	// of links.
	parts []*part
}

// part is one thing that a fault has done or armed.
type part struct {
	run  *run
	node string // empty where the part is about links or regions
	// Exactly one of the two is set while the part is open: what is in force, or
	// how to prevent what is armed.
	lasting Lasting
	disarm  func()
	// happened: what was armed took effect, perhaps only noticed on disarming.
	happened bool
}

// begin applies the fault to whoever it means now.
func (r *run) begin() {
	r.begun = true
	targets := r.resolve(r.fault.Targets)
	peers := r.resolve(r.fault.Peers)
	effect := r.apply(targets, peers)
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

// apply begins the fault and reports whether it is in force at once.
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
			return eachOnce(targets, r.crashAtOp)
		}
		return r.eachLasting(targets, func(node string) Lasting { return inj.Crash(node, f.Kind) })
	case Restart:
		return eachOnce(targets, r.restart)
	case Pause:
		return r.eachLasting(targets, inj.Pause)
	case ClockJump:
		return eachOnce(targets, r.clockJump)
	case ClockDrift:
		return r.eachLasting(targets, func(node string) Lasting { return inj.ClockDrift(node, f.Drift) })
	case DiskStall:
		return r.eachLasting(targets, inj.DiskStall)
	case DiskSlow:
		return r.eachLasting(targets, func(node string) Lasting { return inj.DiskSlow(node, f.Factor) })
	case DiskError:
		return eachOnce(targets, r.diskError)
	case DiskFull:
		return r.eachLasting(targets, inj.DiskFull)
	case Split:
		r.waiting = inj.Split(f.Key, func() { r.happened("") })
	case TransferLeader:
		r.waiting = inj.TransferLeader(f.Key, func() { r.happened("") })
	case MergeRegions:
		r.waiting = inj.MergeRegions(f.Key, func() { r.happened("") })
	case AddPeer, RemovePeer, MovePeer:
		r.waiting = r.changePeers(targets, peers)
	case Wipe:
		return r.eachLasting(targets, func(node string) Lasting { return inj.Wipe(node, f.Regardless) })
	case Join:
		return eachOnce(targets, r.hitting(inj.Join))
	case Destroy:
		return eachOnce(targets, r.hitting(inj.Destroy))
	case Drain:
		for _, node := range targets {
			r.waiting = inj.Drain(node, func() { r.happened(node) }) || r.waiting
		}
	case kindEnd:
	}
	return false
}

// changePeers asks for a change of a region's peers.
func (r *run) changePeers(targets, peers []string) (asked bool) {
	inj, f := r.s.inj, &r.fault
	happened := func() { r.happened("") }
	switch {
	case len(targets) == 0:
		return false // nobody is meant at this instant
	case f.Kind == AddPeer:
		return inj.AddPeer(f.Key, targets[0], happened)
	case f.Kind == RemovePeer:
		return inj.RemovePeer(f.Key, targets[0], happened)
	}
	return len(peers) > 0 && inj.MovePeer(f.Key, targets[0], peers[0], happened)
}

// links applies something directed in one direction or in both.
func (r *run) links(apply func(from, to []string) Lasting, a, b []string, directed bool) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	l := apply(a, b)
	if !directed {
		l = l.join(apply(b, a))
	}
	return r.lasting("", l)
}

func (r *run) network(targets, peers []string) bool {
	f := &r.fault
	if len(f.Targets) == 0 {
		return r.lasting("", r.s.inj.Degrade(f.Degradation, nil, nil))
	}
	degrade := func(from, to []string) Lasting { return r.s.inj.Degrade(f.Degradation, from, to) }
	return r.links(degrade, targets, peers, f.Directed)
}

// eachLasting applies something lasting to every node.
func (r *run) eachLasting(nodes []string, apply func(node string) Lasting) bool {
	effect := false
	for _, node := range nodes {
		effect = r.lasting(node, apply(node)) || effect
	}
	return effect
}

// eachOnce applies to every node what has no end, or sees to its own.
func eachOnce(nodes []string, apply func(node string) bool) bool {
	effect := false
	for _, node := range nodes {
		effect = apply(node) || effect
	}
	return effect
}

// lasting takes what a method of the Injector returned, sees to its end, and
// reports whether there is something to end.
func (r *run) lasting(node string, l Lasting) bool {
	if !l.inForce() {
		return false
	}
	p := &part{run: r, node: node, lasting: l}
	r.parts = append(r.parts, p)
	p.limit()
	return true
}

func (r *run) clockJump(node string) bool {
	return r.hitting(func(node string) bool { return r.s.inj.ClockJump(node, r.fault.Jump) })(node)
}

// hitting notes whether something that has no end of its own took effect.
func (r *run) hitting(apply func(node string) bool) func(node string) bool {
	return func(node string) bool {
		effect := apply(node)
		r.effective = r.effective || effect
		return effect
	}
}

func (r *run) crashAtOp(node string) bool {
	f := &r.fault
	p := &part{run: r, node: node}
	disarm, armed := r.s.inj.CrashAtOp(node, f.Kind, f.Op, func(undo func()) {
		p.disarm, p.lasting = nil, Lasting{Undo: undo}
		r.happened(node)
		p.limit()
	})
	if armed {
		r.await(p, disarm, p.expire)
	}
	return false // not yet
}

// restart takes a node down when it leads nothing, or when its time for that is
// over.
func (r *run) restart(node string) bool {
	inj := r.s.inj
	if r.fault.Within == 0 {
		return r.lasting(node, inj.Crash(node, Kill))
	}
	p := &part{run: r, node: node}
	down := func() {
		if p.disarm == nil {
			return // it is down, or the calm has come
		}
		p.disarm()
		p.disarm = nil
		if p.lasting = inj.Crash(node, Kill); p.lasting.inForce() {
			p.happened = true
			r.happened(node)
			p.limit()
		}
	}
	stop, asked := inj.Relieve(node, down)
	if !asked {
		return r.lasting(node, inj.Crash(node, Kill))
	}
	r.await(p, stop, down)
	return false // not yet
}

func (r *run) diskError(node string) bool {
	f := &r.fault
	p := &part{run: r, node: node}
	disarm, armed := r.s.inj.DiskError(node, f.Access, f.Nth, func() {
		p.disarm, p.happened = nil, true
		r.happened(node)
	})
	if armed {
		r.await(p, disarm, p.expire)
	}
	return false // not yet
}

// await keeps a part that waits to happen, with what prevents it; late is called when the
// fault has a limit to that waiting and it is over.
func (r *run) await(p *part, disarm, late func()) {
	p.disarm = disarm
	r.parts = append(r.parts, p)
	r.waiting = true
	if r.fault.Within > 0 {
		r.s.after(r.fault.Within, late)
	}
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

// hasHit reports whether the fault took effect so far.
func (r *run) hasHit() bool {
	return r.effective || slices.ContainsFunc(r.parts, func(p *part) bool { return p.lasting.hit() })
}

// limit posts the end of a part that is in force.
func (p *part) limit() {
	if p.run.fault.For > 0 {
		p.run.s.after(p.run.fault.For, p.end)
	}
}

// end undoes what is in force, and asks it first what it has hit.
func (p *part) end() {
	l := p.lasting
	if !l.inForce() {
		return
	}
	p.lasting = Lasting{}
	hit := l.hit()
	p.run.effective = p.run.effective || hit
	l.Undo()
	p.run.observe(Ended, p.node, hit)
}

// expire disarms what is armed.
func (p *part) expire() {
	if p.disarm == nil {
		return
	}
	disarm := p.disarm
	p.disarm = nil
	disarm()
	if !p.happened {
		p.run.observe(Expired, p.node, false)
	}
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
