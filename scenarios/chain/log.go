package chain

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// records is a file of records on a node's disk, one segment a process: what a
// power loss has torn stays behind in the segment of the process that wrote it.
type records struct {
	env  *env.Env
	file vfs.File
	omit omissions
}

const folder = "chain"

// openRecords calls replay with every record that is there and opens a segment for
// more. A record that is not whole ends its segment.
//
// This is the recovery of a process, and what was found is durable only when a Barrier
// after it has passed: a kill leaves what was written and never synced, in files and in
// directories, and the next power loss would still take it from whoever has answered for it.
func openRecords(e *env.Env, omit omissions, replay func(record []byte)) (*records, error) {
	fs := e.Disk.FS()
	if err := fs.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	names, err := fs.List(folder)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	for _, name := range names {
		if err = replaySegment(fs, fs.PathJoin(folder, name), omit.resync, replay); err != nil {
			return nil, err
		}
	}
	r := &records{env: e, omit: omit}
	name := fs.PathJoin(folder, fmt.Sprintf("%06d.segment", len(names)+1))
	if r.file, err = fs.Create(name, vfs.WriteCategoryUnspecified); err != nil {
		return nil, err
	}
	for _, dir := range []string{"", folder} {
		if err := syncDir(fs, dir); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func syncDir(fs vfs.FS, name string) error {
	d, err := fs.OpenDir(name)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}

func replaySegment(fs vfs.FS, name string, trust bool, replay func([]byte)) error {
	f, err := fs.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	if !trust {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	for len(b) >= 8 {
		n := int(binary.LittleEndian.Uint32(b))
		if n == 0 || n > len(b)-8 || crc32.ChecksumIEEE(b[8:8+n]) != binary.LittleEndian.Uint32(b[4:]) {
			return nil
		}
		replay(b[8 : 8+n])
		b = b[8+n:]
	}
	return nil
}

// append writes records and calls then when they are durable.
func (r *records) append(then func(), values ...any) {
	var b []byte
	for _, v := range values {
		text, err := json.Marshal(v)
		invariant.Check(err == nil, "chain: a record does not encode: %v", err)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
		b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(text))
		b = append(b, text...)
	}
	_, err := r.file.Write(b)
	if err == nil && !r.omit.sync {
		err = r.file.Sync()
	}
	if err != nil {
		r.env.Exit("the log cannot be written: " + err.Error())
		return
	}
	r.env.Disk.Barrier(then)
}
