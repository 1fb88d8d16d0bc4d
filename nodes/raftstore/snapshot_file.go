package raftstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/cespare/xxhash/v2"

	"simrun/nodes/engine"
)

// A snapshot is a file, and the file that is sent is the one that is received.
// It is a sequence of frames:
//
//	length 4, checksum 8, body
//
// The body of the first is the region, those of the others are records (column
// family, key, value) in the order of families and keys. A frame is what one
// message carries, and it is checked by itself, so that of a file whose end is
// missing or torn the beginning can be used.
const frameHeader = 4 + 8

// errDamagedFrame says that a file does not go on with a frame.
var errDamagedFrame = errors.New("raftstore: damaged snapshot frame")

// newFrame returns a frame without a body.
func newFrame(size int) []byte { return make([]byte, frameHeader, frameHeader+size) }

// sealFrame fills in the header of a frame whose body stands after it.
func sealFrame(frame []byte) {
	binary.LittleEndian.PutUint32(frame, uint32(len(frame)-frameHeader))
	binary.LittleEndian.PutUint64(frame[4:], xxhash.Sum64(frame[frameHeader:]))
}

// openFrame checks a frame and returns its body.
func openFrame(frame []byte) (body []byte, ok bool) {
	if len(frame) < frameHeader || int(binary.LittleEndian.Uint32(frame)) != len(frame)-frameHeader {
		return nil, false
	}
	body = frame[frameHeader:]
	return body, binary.LittleEndian.Uint64(frame[4:]) == xxhash.Sum64(body)
}

// readFrame reads the frame at an offset of a snapshot of a size. Nothing is
// believed that does not fit in there: what a power loss has left may say
// anything.
func readFrame(f io.ReaderAt, at, size uint64) ([]byte, error) {
	var header [frameHeader]byte
	if err := readFull(f, header[:], at); err != nil {
		return nil, err
	}
	length := uint64(binary.LittleEndian.Uint32(header[:])) + frameHeader
	if length > size-at {
		return nil, errDamagedFrame
	}
	frame := make([]byte, length)
	if err := readFull(f, frame, at); err != nil {
		return nil, err
	}
	if _, ok := openFrame(frame); !ok {
		return nil, errDamagedFrame
	}
	return frame, nil
}

// readFull reads len(p) bytes; that the file ends before is damage.
func readFull(f io.ReaderAt, p []byte, at uint64) error {
	n, err := f.ReadAt(p, int64(at))
	switch {
	case n == len(p):
		return nil
	case errors.Is(err, io.EOF):
		return errDamagedFrame
	}
	return err
}

// eachFrame calls fn for the frames of a snapshot of a size, until one is
// missing or damaged. It returns how many bytes they are, and their checksum.
func eachFrame(f io.ReaderAt, size uint64, fn func(body []byte)) (have uint64, sum uint32, err error) {
	for have < size {
		frame, err := readFrame(f, have, size)
		if errors.Is(err, errDamagedFrame) {
			break
		}
		if err != nil {
			return have, sum, err
		}
		fn(frame[frameHeader:])
		have += uint64(len(frame))
		sum = addSum(sum, frame)
	}
	return have, sum, nil
}

// addSum continues the checksum of a file.
func addSum(sum uint32, p []byte) uint32 { return crc32.Update(sum, crc32.IEEETable, p) }

// snapshotID names a snapshot by what is in it. The replicas of a region hold
// the same at the same index, so whoever has made the file, half of it can be
// completed by whoever has the same.
type snapshotID struct {
	region, index, term uint64
	size                uint64 // of the file, in bytes
	sum                 uint32 // of the file
}

// The kinds of snapshot files, by their names. One that is being made has no
// size and no checksum yet.
const (
	makingFile   = "new"
	outgoingFile = "out"
	incomingFile = "in"
)

// snapshotSuffix ends the names of all snapshot files.
const snapshotSuffix = ".snap"

func (id snapshotID) name(kind string) string {
	return fmt.Sprintf("%s-%d-%d-%d-%d-%08x%s", kind, id.region, id.index, id.term, id.size, id.sum, snapshotSuffix)
}

// parseSnapshotName is the inverse of name.
func parseSnapshotName(name string) (kind string, id snapshotID, ok bool) {
	kind, rest, _ := strings.Cut(name, "-")
	_, err := fmt.Sscanf(rest, "%d-%d-%d-%d-%x", &id.region, &id.index, &id.term, &id.size, &id.sum)
	return kind, id, err == nil && id.name(kind) == name
}

func appendRecord(buf []byte, cf engine.CF, key, value []byte) []byte {
	buf = append(buf, byte(cf))
	buf = append(binary.AppendUvarint(buf, uint64(len(key))), key...)
	return append(binary.AppendUvarint(buf, uint64(len(value))), value...)
}

// eachRecord calls fn for every record; it reports whether all were well formed.
func eachRecord(records []byte, fn func(cf engine.CF, key, value []byte)) bool {
	for len(records) > 0 {
		cf := engine.CF(records[0])
		key, rest, ok := cutString(records[1:])
		if !ok {
			return false
		}
		value, rest, ok := cutString(rest)
		if !ok {
			return false
		}
		fn(cf, key, value)
		records = rest
	}
	return true
}

func cutString(buf []byte) (value, rest []byte, ok bool) {
	n, size := binary.Uvarint(buf)
	if size <= 0 || n > uint64(len(buf)-size) {
		return nil, nil, false
	}
	buf = buf[size:]
	return buf[:n], buf[n:], true
}

// dataCFs are the column families that belong to regions.
func dataCFs() []engine.CF { return []engine.CF{engine.Default, engine.Lock, engine.Write} }
