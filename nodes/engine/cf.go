package engine

import "fmt"

// CF is a column family. The zero value is Default, as in the protocol.
type CF uint8

const (
	// Default holds raw values, and the long values of transactions.
	Default CF = iota
	// Lock holds the locks of transactions.
	Lock
	// Write holds the commit records of transactions.
	Write
	// Raft holds the states of a store's regions beside their data, and the
	// identity of the store.
	Raft
	numCFs
)

// AllCFs returns all column families in the order of their prefixes.
func AllCFs() []CF { return []CF{Default, Lock, Write, Raft} }

// String returns the protocol's name of the column family.
func (cf CF) String() string {
	switch cf {
	case Default:
		return "default"
	case Lock:
		return "lock"
	case Write:
		return "write"
	case Raft:
		return "raft"
	default:
		return fmt.Sprintf("cf(%d)", uint8(cf))
	}
}

// ParseCF is the inverse of String. The empty name is Default.
func ParseCF(name string) (CF, error) {
	if name == "" {
		return Default, nil
	}
	for _, cf := range AllCFs() {
		if cf.String() == name {
			return cf, nil
		}
	}
	return 0, fmt.Errorf("unknown column family %q", name)
}

// prefix is the first byte of all keys of the column family. Zero and the last
// byte are not used, so that every family has a key below and above it.
func (cf CF) prefix() byte { return byte(cf) + 1 }

// appendKey appends the key as it is stored.
func (cf CF) appendKey(buf, key []byte) []byte {
	return append(append(buf, cf.prefix()), key...)
}
