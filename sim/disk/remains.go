package disk

import "simrun/sim/stream"

// sectorSize is the unit in which a disk writes atomically.
const sectorSize = 512

// write is a write that was not durable when the power was lost.
type write struct {
	off  int64
	data []byte
}

// remains decides what is left of one file's writes, starting from its durable
// bytes.
type remains struct {
	data  []byte
	class Class
	draws *stream.Stream
	stats *Stats
}

// decide picks how the writes have fared together. All independent of each
// other alone would hardly ever leave a long tail of a log.
func (r *remains) decide(writes []write) {
	const fates = 5
	switch fate := r.draws.IntN(fates); {
	case fate == 0:
		for _, w := range writes {
			r.lose(w)
		}
	case fate == 1:
		for _, w := range writes {
			r.keep(w)
		}
	case fate == 2: // written back in order
		last := r.draws.IntN(len(writes))
		for i, w := range writes {
			switch {
			case i < last:
				r.keep(w)
			case i == last && r.class != ClassOptions:
				r.tear(w)
			default:
				r.lose(w)
			}
		}
	case fate == 3 && r.canonical(): // sector by sector
		for _, w := range writes {
			r.hole(w)
		}
	default: // written back in any order
		for _, w := range writes {
			r.any(w)
		}
	}
	if r.leavesZeros() {
		last := writes[len(writes)-1]
		r.data = appendZeros(r.data, last.off+int64(len(last.data))-int64(len(r.data)))
	}
}

// leavesZeros decides whether the file has its new length although bytes at
// its end are lost. It is not for files whose bytes are not canonical: a lost
// byte that was zero by chance would be no loss.
func (r *remains) leavesZeros() bool {
	const perMille = 200
	return r.canonical() && r.draws.PerMille(perMille)
}

func (r *remains) canonical() bool { return r.class != ClassManifest && r.class != ClassOptions }

func (r *remains) any(w write) {
	const fates = 4
	switch fate := r.draws.IntN(fates); {
	case fate == 0:
		r.lose(w)
	case fate == 2 && r.class != ClassOptions:
		r.tear(w)
	case fate == 3 && r.canonical():
		r.hole(w)
	default:
		r.keep(w)
	}
}

func (r *remains) lose(w write) {
	r.stats.Lost++
	r.stats.LostBytes += r.counted(int64(len(w.data)))
}

func (r *remains) keep(w write) {
	r.stats.Kept++
	r.put(w.off, w.data)
}

// tear leaves a prefix that ends at any byte.
func (r *remains) tear(w write) {
	n := r.draws.IntN(len(w.data))
	if n == 0 {
		r.lose(w)
		return
	}
	r.stats.Torn++
	r.stats.LostBytes += int64(len(w.data) - n)
	r.put(w.off, w.data[:n])
}

// hole leaves some of the sectors.
func (r *remains) hole(w write) {
	lost := int64(0)
	for at := int64(0); at < int64(len(w.data)); {
		n := sectorSize - (w.off+at)%sectorSize
		n = min(n, int64(len(w.data))-at)
		if r.draws.IntN(2) == 0 {
			r.put(w.off+at, w.data[at:at+n])
		} else {
			lost += n
		}
		at += n
	}
	r.stats.LostBytes += lost
	switch lost {
	case 0:
		r.stats.Kept++
	case int64(len(w.data)):
		r.stats.Lost++
	default:
		r.stats.Holed++
	}
}

// counted leaves out the bytes of OPTIONS, whose number is not canonical.
func (r *remains) counted(n int64) int64 {
	if r.class == ClassOptions {
		return 0
	}
	return n
}

func (r *remains) put(off int64, p []byte) {
	if len(p) == 0 {
		return
	}
	r.data = appendZeros(r.data, off+int64(len(p))-int64(len(r.data)))
	copy(r.data[off:], p)
}
