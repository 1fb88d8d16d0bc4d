package sim

// take returns an element of a free list, or a new one. Elements are put back by append:
// an event that has fired, a task that has ended.
func take[T any](free *[]*T) *T {
	n := len(*free)
	if n == 0 {
		return new(T)
	}
	x := (*free)[n-1]
	*free = (*free)[:n-1]
	return x
}
