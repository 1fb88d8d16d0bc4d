package disk

import (
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"syscall"
	"time"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

var _ vfs.FS = (*mount)(nil)

// lock is held by every operation; see Disk.unlock for the other half.
func (m *mount) lock() { m.disk.mu.Lock() }

// Create implements vfs.FS.
func (m *mount) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	m.lock()
	defer m.disk.unlock()
	return m.create(clean(name), category)
}

func (m *mount) create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	dir, base, err := m.parent("create", name)
	if err != nil {
		return nil, err
	}
	if old := dir.entries[base]; old != nil && old.dir {
		return nil, &os.PathError{Op: "create", Path: name, Err: errIsDir}
	}
	class := classOf(name, category)
	if err := m.admit(&Op{Kind: OpCreate, Name: name}, class, 0); err != nil {
		return nil, err
	}
	n := m.newNode(dir.group)
	n.class, n.named = class, m.disk.seq
	m.change(entryOp{dir: dir, name: base, child: n})
	return &file{mount: m, node: n, name: name}, nil
}

// Link implements vfs.FS.
func (m *mount) Link(oldName, newName string) error {
	m.lock()
	defer m.disk.unlock()
	oldName, newName = clean(oldName), clean(newName)
	fail := func(err error) error {
		return &os.LinkError{Op: "link", Old: oldName, New: newName, Err: err}
	}
	n := m.lookup(oldName)
	if n == nil {
		return fail(oserror.ErrNotExist)
	}
	if n.dir {
		return fail(errIsDir)
	}
	dir, base, err := m.parent("link", newName)
	if err != nil {
		return err
	}
	if dir.entries[base] != nil {
		return fail(oserror.ErrExist)
	}
	if err := m.admit(&Op{Kind: OpLink, Name: oldName, Target: newName}, ClassDir, 0); err != nil {
		return err
	}
	m.change(entryOp{dir: dir, name: base, child: n})
	return nil
}

// Open implements vfs.FS.
func (m *mount) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	m.lock()
	defer m.disk.unlock()
	f, err := m.open("open", clean(name))
	if err != nil {
		return nil, err
	}
	f.readOnly = true
	applyOptions(f, opts)
	return f, nil
}

func (m *mount) open(op, name string) (*file, error) {
	n := m.lookup(name)
	if n == nil {
		return nil, notExist(op, name)
	}
	return &file{mount: m, node: n, name: name}, nil
}

func applyOptions(f *file, opts []vfs.OpenOption) {
	for _, opt := range opts {
		opt.Apply(f)
	}
}

// OpenReadWrite implements vfs.FS.
func (m *mount) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	m.lock()
	defer m.disk.unlock()
	name = clean(name)
	f, err := m.open("open", name)
	if err != nil {
		return m.create(name, category)
	}
	applyOptions(f, opts)
	return f, nil
}

// OpenDir implements vfs.FS.
func (m *mount) OpenDir(name string) (vfs.File, error) {
	m.lock()
	defer m.disk.unlock()
	f, err := m.open("open", clean(name))
	if err != nil {
		return nil, err
	}
	if !f.node.dir {
		return nil, &os.PathError{Op: "open", Path: name, Err: errNotDir}
	}
	return f, nil
}

// Remove implements vfs.FS.
func (m *mount) Remove(name string) error {
	m.lock()
	defer m.disk.unlock()
	name = clean(name)
	dir, base, err := m.parent("remove", name)
	if err != nil {
		return err
	}
	n := dir.entries[base]
	if n == nil {
		return notExist("remove", name)
	}
	if len(n.entries) > 0 {
		return &os.PathError{Op: "remove", Path: name, Err: errNotEmpty}
	}
	return m.unlink(dir, base, name)
}

func (m *mount) unlink(dir *node, base, name string) error {
	if err := m.admit(&Op{Kind: OpRemove, Name: name}, ClassDir, 0); err != nil {
		return err
	}
	m.change(entryOp{dir: dir, name: base})
	return nil
}

// RemoveAll implements vfs.FS. It removes what is inside first, entry by entry,
// so that a crash can leave any stage of it.
func (m *mount) RemoveAll(name string) error {
	m.lock()
	defer m.disk.unlock()
	name = clean(name)
	dir, base, err := m.parent("remove", name)
	if oserror.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return m.removeTree(dir, base, name)
}

func (m *mount) removeTree(dir *node, base, name string) error {
	n := dir.entries[base]
	if n == nil {
		return nil
	}
	for _, child := range slices.Sorted(maps.Keys(n.entries)) {
		if err := m.removeTree(n, child, name+"/"+child); err != nil {
			return err
		}
	}
	return m.unlink(dir, base, name)
}

// Rename implements vfs.FS.
func (m *mount) Rename(oldName, newName string) error {
	m.lock()
	defer m.disk.unlock()
	_, err := m.rename(OpRename, clean(oldName), clean(newName), vfs.WriteCategoryUnspecified)
	return err
}

func (m *mount) rename(kind Kind, oldName, newName string, category vfs.DiskWriteCategory) (*node, error) {
	fromDir, fromBase, err := m.parent("rename", oldName)
	if err != nil {
		return nil, err
	}
	n := fromDir.entries[fromBase]
	if n == nil {
		return nil, notExist("rename", oldName)
	}
	dir, base, err := m.parent("rename", newName)
	if err != nil {
		return nil, err
	}
	old := dir.entries[base]
	if old != nil && old != n && (old.dir || n.dir) {
		return nil, &os.LinkError{Op: "rename", Old: oldName, New: newName, Err: oserror.ErrExist}
	}
	if err := m.admit(&Op{Kind: kind, Name: oldName, Target: newName}, ClassDir, 0); err != nil {
		return nil, err
	}
	if old != n { // POSIX: two names of one file stay as they are
		if n.class == ClassLog {
			category = LogCategory // and remains one under another name of a log
		}
		n.class = classOf(newName, category)
		m.change(entryOp{dir: dir, name: base, child: n, fromDir: fromDir, fromName: fromBase})
	}
	return n, nil
}

// ReuseForWrite implements vfs.FS. The file keeps its contents, as a recycled
// log does on a real disk: what a crash leaves of the new log may end in
// records of the old one.
func (m *mount) ReuseForWrite(oldName, newName string, category vfs.DiskWriteCategory) (vfs.File, error) {
	m.lock()
	defer m.disk.unlock()
	newName = clean(newName)
	n, err := m.rename(OpReuse, clean(oldName), newName, category)
	if err != nil {
		return nil, err
	}
	n.named = m.disk.seq
	return &file{mount: m, node: n, name: newName}, nil
}

// MkdirAll implements vfs.FS.
func (m *mount) MkdirAll(name string, _ os.FileMode) error {
	m.lock()
	defer m.disk.unlock()
	name = clean(name)
	for i := 1; i <= len(name); i++ {
		if i < len(name) && name[i] != '/' {
			continue
		}
		if err := m.mkdir(name[:i]); err != nil {
			return err
		}
	}
	return nil
}

func (m *mount) mkdir(name string) error {
	if n := m.lookup(name); n != nil {
		if !n.dir {
			return &os.PathError{Op: "mkdir", Path: name, Err: errNotDir}
		}
		return nil
	}
	dir, base, err := m.parent("mkdir", name)
	if err != nil {
		return err
	}
	if err := m.admit(&Op{Kind: OpMkdir, Name: name}, ClassDir, 0); err != nil {
		return err
	}
	m.change(entryOp{dir: dir, name: base, child: m.newDir(m.groupOf(name))})
	return nil
}

// fileLock is a held lock of a file.
type fileLock struct {
	mount *mount
	name  string
}

func (l *fileLock) Close() error {
	l.mount.lock()
	defer l.mount.disk.unlock()
	delete(l.mount.locks, l.name)
	return nil
}

// Lock implements vfs.FS. A lock ends with the process that holds it.
func (m *mount) Lock(name string) (io.Closer, error) {
	m.lock()
	defer m.disk.unlock()
	name = clean(name)
	if m.locks[name] {
		return nil, &os.PathError{Op: "lock", Path: name, Err: syscall.EAGAIN}
	}
	if _, err := m.create(name, vfs.WriteCategoryUnspecified); err != nil {
		return nil, err
	}
	m.locks[name] = true
	return &fileLock{m, name}, nil
}

// List implements vfs.FS. Names are sorted.
func (m *mount) List(name string) ([]string, error) {
	m.lock()
	defer m.disk.unlock()
	n := m.lookup(clean(name))
	if n == nil {
		return nil, notExist("list", name)
	}
	if !n.dir {
		return nil, &os.PathError{Op: "list", Path: name, Err: errNotDir}
	}
	return slices.Sorted(maps.Keys(n.entries)), nil
}

// Stat implements vfs.FS.
func (m *mount) Stat(name string) (vfs.FileInfo, error) {
	m.lock()
	defer m.disk.unlock()
	f, err := m.open("stat", clean(name))
	if err != nil {
		return nil, err
	}
	return f.info(), nil
}

// unlimited is the size that a disk without a capacity reports.
const unlimited = int64(1) << 40

// GetDiskUsage implements vfs.FS.
func (m *mount) GetDiskUsage(string) (vfs.DiskUsage, error) {
	m.lock()
	defer m.disk.unlock()
	total := m.disk.faults.capacity
	if total == 0 {
		total = unlimited
	}
	return vfs.DiskUsage{
		AvailBytes: uint64(max(0, total-m.used)),
		TotalBytes: uint64(total),
		UsedBytes:  uint64(m.used),
	}, nil
}

// PathBase implements vfs.FS.
func (*mount) PathBase(name string) string { return path.Base(name) }

// PathJoin implements vfs.FS.
func (*mount) PathJoin(elem ...string) string { return path.Join(elem...) }

// PathDir implements vfs.FS.
func (*mount) PathDir(name string) string { return path.Dir(name) }

// Unwrap implements vfs.FS.
func (*mount) Unwrap() vfs.FS { return nil }

// fileInfo implements vfs.FileInfo.
type fileInfo struct {
	name string
	size int64
	dir  bool
}

func (i *fileInfo) Name() string { return i.name }
func (i *fileInfo) Size() int64  { return i.size }
func (i *fileInfo) Mode() os.FileMode {
	if i.dir {
		return os.ModeDir | 0o755
	}
	return 0o644
}

// ModTime is the zero time: nothing may depend on it.
func (i *fileInfo) ModTime() time.Time     { return time.Time{} }
func (i *fileInfo) IsDir() bool            { return i.dir }
func (i *fileInfo) Sys() any               { return nil }
func (i *fileInfo) DeviceID() vfs.DeviceID { return vfs.DeviceID{} }
