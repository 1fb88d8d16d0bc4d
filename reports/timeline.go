package reports

// Timeline collects events in the order in which they begin. What lasts has a key by
// which it is ended. Now is the virtual time.
type Timeline[K comparable] struct {
	Now    func() int64
	Events []Event

	open  map[K]int // what lasts: its position in Events
	ended map[K]int // faults of which a part has ended: their positions
}

// Add adds an event and returns its position.
func (tl *Timeline[K]) Add(e Event) int {
	tl.Events = append(tl.Events, e)
	return len(tl.Events) - 1
}

// Begin adds what lasts from now on, unless it lasts already.
func (tl *Timeline[K]) Begin(key K, e Event) {
	if tl.open == nil {
		tl.open = map[K]int{}
	}
	if _, ok := tl.open[key]; !ok {
		e.At = tl.Now()
		tl.open[key] = tl.Add(e)
	}
}

// End ends what lasts, if it does.
func (tl *Timeline[K]) End(key K) {
	if i, ok := tl.open[key]; ok {
		tl.Events[i].Until = max(tl.Now(), tl.Events[i].At+1)
		delete(tl.open, key)
	}
}

// EndFault ends a fault, or a part of it that was undone by itself, and notes whether it
// has hit anything: one part that has is enough.
func (tl *Timeline[K]) EndFault(key K, hit bool) {
	if i, ok := tl.open[key]; ok {
		if tl.ended == nil {
			tl.ended = map[K]int{}
		}
		tl.ended[key] = i
		tl.Events[i].Idle = !hit
		tl.End(key)
	} else if i, ok := tl.ended[key]; ok && hit {
		tl.Events[i].Idle = false
	}
}

// Close ends the phase and the states of nodes that still last. A fault that does is
// left open: the system ended within it.
func (tl *Timeline[K]) Close() {
	for i := range tl.Events {
		e := &tl.Events[i]
		if e.Until == 0 && e.Kind.state() {
			e.Until = max(tl.Now(), e.At+1)
		}
	}
}
