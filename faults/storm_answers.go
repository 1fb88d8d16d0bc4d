package faults

// answers makes a fault of links one between those who ask and those who answer, if
// the storm has such. Most often it is the answers that suffer: what was asked for
// is done and nobody is told, or too late, so that it is asked for again. Or it is the
// requests: what was given up, and done elsewhere since, arrives after all.
func (d draw) answers(f *Fault) bool {
	if d.c.AnswerChance == 0 || len(d.c.Stores) == 0 || len(d.c.Clients) == 0 || !d.PerMille(d.c.AnswerChance) {
		return false
	}
	f.Targets, f.Peers = []Target{d.server()}, []Target{d.client()}
	if len(d.c.Placement) > 0 && d.PerMille(200) {
		f.Targets = []Target{Placement()}
		if d.PerMille(700) {
			f.Peers = []Target{d.server()}
		}
	}
	f.Directed = true
	switch x := d.IntN(10); {
	case x < 3:
		f.Targets, f.Peers = f.Peers, f.Targets
	case x < 4:
		f.Directed = false
	}
	return true
}

// server is a store, the leader of a region, or all stores.
func (d draw) server() Target {
	switch x := d.IntN(10); {
	case x < 3:
		return AllStores()
	case x < 7 && len(d.c.Keys) > 0:
		return Leader(d.key())
	}
	return d.named()
}

// client is one client, or all of them.
func (d draw) client() Target {
	if d.PerMille(500) {
		return AllClients()
	}
	return Node(d.c.Clients[d.IntN(len(d.c.Clients))])
}
