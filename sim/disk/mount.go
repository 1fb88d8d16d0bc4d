package disk

import (
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/cockroachdb/errors/oserror"
)

// mount is the disk as one process sees it; fs.go and file.go make it a
// vfs.FS. It ends as a zombie.
type mount struct {
	disk   *Disk
	zombie bool // the process has ended; nobody else sees this state
	root   *node
	nextID uint64
	groups []string // names of the databases; the first is the root
	used   int64    // bytes charged for files
	locks  map[string]bool

	pending []entryOp // entry operations that are not durable, in order
	syncs   syncQueue // syncs that may not have completed
}

func newMount(d *Disk) *mount {
	m := &mount{disk: d, nextID: 1, groups: []string{""}, locks: map[string]bool{}}
	m.root = m.newDir(0)
	return m
}

func (m *mount) newNode(group int) *node {
	n := &node{id: m.nextID, group: group}
	m.nextID++
	return n
}

func (m *mount) newDir(group int) *node {
	n := m.newNode(group)
	n.dir = true
	n.entries = map[string]*node{}
	n.durable = map[string]*node{}
	return n
}

// clean returns the canonical form of a name: relative to the root, which is "".
func clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}

// lookup returns the node of a clean name, or nil.
func (m *mount) lookup(name string) *node {
	n := m.root
	for name != "" {
		if !n.dir {
			return nil
		}
		var first string
		first, name, _ = strings.Cut(name, "/")
		if n = n.entries[first]; n == nil {
			return nil
		}
	}
	return n
}

// parent returns the directory that holds a clean name, and the name's last
// element.
func (m *mount) parent(op, name string) (*node, string, error) {
	if name == "" {
		return nil, "", &os.PathError{Op: op, Path: name, Err: oserror.ErrInvalid}
	}
	dirName, base := "", name
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		dirName, base = name[:i], name[i+1:]
	}
	dir := m.lookup(dirName)
	if dir == nil {
		return nil, "", notExist(op, name)
	}
	if !dir.dir {
		return nil, "", &os.PathError{Op: op, Path: name, Err: errNotDir}
	}
	return dir, base, nil
}

// groupOf returns the database that a clean name belongs to.
func (m *mount) groupOf(name string) int {
	first, _, _ := strings.Cut(name, "/")
	i := slices.Index(m.groups, first)
	if i < 0 {
		i = len(m.groups)
		m.groups = append(m.groups, first)
	}
	return i
}

const (
	errNotDir   = syscall.ENOTDIR
	errIsDir    = syscall.EISDIR
	errNotEmpty = syscall.ENOTEMPTY
)

func notExist(op, name string) error {
	return &os.PathError{Op: op, Path: name, Err: oserror.ErrNotExist}
}

// volatile reports whether a file below dir has bytes that are not durable.
func (m *mount) volatile(dir *node) bool {
	for _, name := range slices.Sorted(maps.Keys(dir.entries)) {
		if n := dir.entries[name]; n.dir && m.volatile(n) || len(n.journal.pending()) > 0 {
			return true
		}
	}
	return false
}

// change makes a change of entries in the process's view and, unless the
// process has ended, records it for the medium.
func (m *mount) change(op entryOp) {
	gone := op.dir.entries[op.name]
	op.apply(func(dir *node) map[string]*node { return dir.entries })
	if op.child != nil && op.fromDir == nil {
		op.child.links++
	}
	if gone != nil {
		if gone.links--; gone.links == 0 {
			m.used -= gone.charged
			gone.charged = 0
		}
	}
	if !m.zombie {
		op.seq = m.disk.seq
		m.pending = append(m.pending, op)
	}
}

// charge accounts for a file that has grown to size.
func (m *mount) charge(n *node, size int64) {
	if n.links > 0 && n.class != ClassOptions && size > n.charged {
		m.used += size - n.charged
		n.charged = size
	}
}
