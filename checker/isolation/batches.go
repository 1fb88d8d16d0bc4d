package isolation

// batches is a list of unknown length. It does not move what it holds when it
// grows, as a slice does, nor leave what it has outgrown to be collected.
type batches[T any] struct {
	all [][]T
}

// batchBits: a batch holds two to the power of so many.
const batchBits = 14

func (b *batches[T]) add(x T) {
	last := len(b.all) - 1
	if last < 0 || len(b.all[last]) == 1<<batchBits {
		b.all = append(b.all, make([]T, 0, 1<<batchBits))
		last++
	}
	b.all[last] = append(b.all[last], x)
}

func (b *batches[T]) len() int {
	if len(b.all) == 0 {
		return 0
	}
	return (len(b.all)-1)<<batchBits + len(b.all[len(b.all)-1])
}

func (b *batches[T]) at(i int) *T { return &b.all[i>>batchBits][i&(1<<batchBits-1)] }
