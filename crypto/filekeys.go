package crypto

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// FileKeys is a key store in one file, for development: one process at a time, and every change writes the whole file anew.
//
// Destroying reaches the file (level L0, and L1 for this file), but not what the file system, its snapshots and backups keep of the replaced one: only
// destroyed generations of a real KMS reach those.
type FileKeys struct {
	KeyStore
	file *wholeFile
}

// keyFileMagic stands first in a key file; behind it each row with its length (4 bytes, big-endian), and the CRC-32C of all that at the end.
const keyFileMagic = "muster-keys-1\n"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errKeyFile = errors.New("it is no key file of this build, or damaged; restore it from a copy, and replay the erasures since")

// OpenFileKeys opens a key file, and makes it if there is none. The caller closes it.
func OpenFileKeys(path string) (*FileKeys, error) {
	file, content, err := openWhole(path)
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	rows := newMemoryRows()
	if content != nil {
		if err := rows.decode(content); err != nil {
			_ = file.close() // it was only read
			return nil, fmt.Errorf("key file %s: %w", path, err)
		}
	}
	rows.save = func() error { return file.replace(rows.encodeLocked()) }
	return &FileKeys{KeyStore: KeysIn(rows), file: file}, nil
}

// Close lets others open the file. The store is not used after it.
func (f *FileKeys) Close() error { return f.file.close() }

func (m *memoryRows) encodeLocked() []byte {
	b := []byte(keyFileMagic)
	b = binary.BigEndian.AppendUint64(b, uint64(m.place))
	for _, row := range m.rows {
		b = binary.BigEndian.AppendUint32(b, uint32(len(row)))
		b = append(b, row...)
	}
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func (m *memoryRows) decode(b []byte) error {
	if len(b) < len(keyFileMagic)+12 || string(b[:len(keyFileMagic)]) != keyFileMagic {
		return errKeyFile
	}
	b, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(b, castagnoli) != sum {
		return errKeyFile
	}
	b = b[len(keyFileMagic):]
	m.place, b = int64(binary.BigEndian.Uint64(b)), b[8:]
	for len(b) > 0 {
		if len(b) < 4 || uint64(binary.BigEndian.Uint32(b)) > uint64(len(b)-4) {
			return errKeyFile
		}
		n := binary.BigEndian.Uint32(b)
		row := append([]byte(nil), b[4:4+n]...)
		r, err := decodeRow(row)
		if err != nil {
			return err
		}
		m.rows[r.subject], b = row, b[4+n:]
	}
	return nil
}
