package network

import "slices"

// aimed are degradations of messages of one kind each.
type aimed []Degradation

// add takes a degradation on if it is aimed.
func (a *aimed) add(d Degradation) bool {
	if d.Of == "" {
		return false
	}
	*a = append(*a, d)
	return true
}

// remove takes an aimed degradation off, if it is there: HealAll may have done so
// already.
func (a *aimed) remove(d Degradation) bool {
	if d.Of == "" {
		return false
	}
	if i := slices.Index(*a, d); i >= 0 {
		*a = slices.Delete(*a, i, i+1)
	}
	return true
}

// sum adds up what is aimed at a kind.
func (a aimed) sum(kind string) (sum Degradation) {
	for _, d := range a {
		if d.Of == kind {
			sum = sum.plus(d)
		}
	}
	return sum
}

// aimedAt returns what is aimed at messages like this one.
func (l *link) aimedAt(payload []byte) Degradation {
	n := l.net
	if len(l.aimed)+len(n.aimed) == 0 || n.config.Kind == nil || l.from == l.to {
		return Degradation{}
	}
	kind := n.config.Kind(payload)
	return l.aimed.sum(kind).plus(n.aimed.sum(kind))
}
