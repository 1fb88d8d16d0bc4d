package reduce

// Step is one way to make plans smaller.
type Step[P any] interface {
	// Take goes that way as far as it leads.
	Take(s *Search[P]) error
}

// Func is a step that is a function.
type Func[P any] func(s *Search[P]) error

// Take implements Step.
func (f Func[P]) Take(s *Search[P]) error { return f(s) }

// List takes away as many as it can of some things that a plan has: all, then
// chunks of half of them, and so on down to single ones.
type List[P any] struct {
	Count   func(p P) int
	Without func(p P, from, to int)
}

// Take implements Step.
func (l List[P]) Take(s *Search[P]) error {
	for size := l.Count(s.Best); size > 0; size /= 2 {
		for from := 0; from < l.Count(s.Best); {
			var changes []func(p P)
			for n := from; n < l.Count(s.Best); n += size {
				changes = append(changes, func(p P) { l.Without(p, n, min(n+size, l.Count(p))) })
			}
			i, err := s.Try(changes)
			if err != nil {
				return err
			}
			if i < 0 {
				break
			}
			from += i * size
		}
	}
	return nil
}

// Number makes a number that a plan has as small as it can: the least at once, or
// by bisection, to within a grain.
type Number[P any] struct {
	Least int64
	// Grain is how exactly the number is worth knowing, by what it is at first; nil: to 1.
	Grain func(n int64) int64
	Get   func(p P) int64
	Set   func(p P, n int64)
	// Round makes values pleasant; nil leaves them.
	Round func(n int64) int64
}

// Take implements Step.
func (n Number[P]) Take(s *Search[P]) error {
	high, low := n.Get(s.Best), n.Least-1 // low is taken not to fail
	grain := int64(1)
	if n.Grain != nil {
		grain = n.Grain(high)
	}
	for high > n.Least && (low < n.Least || high-low > grain) {
		values := n.between(low, high, grain)
		changes := make([]func(p P), len(values))
		for i, v := range values {
			changes[i] = func(p P) { n.Set(p, v) }
		}
		i, err := s.Try(changes)
		if err != nil || i < 0 {
			return err
		}
		high = values[i]
		if i > 0 {
			low = values[i-1]
		}
	}
	return nil
}

// between returns the values to be tried, the least first.
func (n Number[P]) between(low, high, grain int64) (values []int64) {
	if low < n.Least {
		values = append(values, n.Least)
	}
	for gap := (high - low) / 2; gap >= grain; gap /= 2 {
		v := high - gap
		if n.Round != nil {
			v = n.Round(v)
		}
		if v > max(low, n.Least) && v < high && (len(values) == 0 || v > values[len(values)-1]) {
			values = append(values, v)
		}
	}
	return values
}
