package kafka

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/seed-3eec0498/muster"
)

// A partition's progress lies in one committed offset of the owners' consumer group. Without waiting commands that offset is the next one to
// read, and its metadata is empty. With some it is the lowest waiting one, so that any other reader of the offset repeats commands rather than
// losing them, and the metadata says the rest in printable ASCII:
//
//	muster1:<first>:<next>:<gaps>
//	        |       |      base64url without padding of one uvarint per further waiting offset: its distance from the one before, minus 1
//	        |       decimal: the offset next to read
//	        decimal: the committed offset again
//
// First is repeated because metadata can be separated from its offset: tools that reset, copy or translate offsets keep the one and change
// the other. A broker takes 4,096 bytes (offset.metadata.max.bytes). [muster.MaxWaiting] gaps of up to 2^35 offsets each take 5 bytes
// each, 3,334 in base64, and the head takes at most 48.
const (
	progressHead  = "muster1:" // 1: 0.1
	progressBytes = 4096
)

// ErrForeignProgress is found when the metadata of a committed offset was not written for that offset by this toolkit: the offset was
// reset by hand, or committed by another program. The plain offset holds then.
var ErrForeignProgress = errors.New("the metadata of the committed offset does not belong to it")

// EncodeProgress gives the offset to commit and its metadata, nil where nothing waits.
func EncodeProgress(p muster.Progress) (offset int64, metadata *string) {
	if len(p.Waiting) == 0 {
		return p.Next, nil
	}
	first := p.Waiting[0]
	gaps := make([]byte, 0, 2*len(p.Waiting))
	for i, at := range p.Waiting[1:] {
		gaps = binary.AppendUvarint(gaps, uint64(at-p.Waiting[i]-1))
	}
	text := progressHead + strconv.FormatInt(first, 10) + ":" + strconv.FormatInt(p.Next, 10) + ":" + base64.RawURLEncoding.EncodeToString(gaps)
	return first, &text
}

// DecodeProgress reads what [EncodeProgress] wrote. For metadata that is not of this offset it gives the plain offset, and an error that
// wraps [ErrForeignProgress]; empty metadata is no error.
func DecodeProgress(partition int32, offset int64, metadata string) (muster.Progress, error) {
	plain := muster.Progress{Partition: partition, Next: offset}
	if metadata == "" || offset < 0 {
		return plain, nil
	}
	p, err := decodeProgress(offset, metadata)
	if err != nil {
		return plain, fmt.Errorf("partition %d: %w: %w", partition, ErrForeignProgress, err)
	}
	p.Partition = partition
	return p, nil
}

func decodeProgress(offset int64, metadata string) (muster.Progress, error) {
	var p muster.Progress
	rest, ours := strings.CutPrefix(metadata, progressHead)
	fields := strings.Split(rest, ":")
	if !ours || len(metadata) > progressBytes || len(fields) != 3 {
		return p, errors.New("it is not of format muster1")
	}
	first, err := decimal(fields[0])
	if err != nil {
		return p, err
	}
	if first != offset {
		return p, fmt.Errorf("it was written for offset %d, and %d is committed", first, offset)
	}
	if p.Next, err = decimal(fields[1]); err != nil {
		return p, err
	}
	gaps, err := base64.RawURLEncoding.Strict().DecodeString(fields[2])
	if err != nil {
		return p, errors.New("its list is not base64")
	}
	p.Waiting = append(make([]int64, 0, min(len(gaps)+1, muster.MaxWaiting)), first)
	for at := first; len(gaps) > 0; {
		gap, n := binary.Uvarint(gaps)
		if n <= 0 || gap >= uint64(p.Next-at) || n > 1 && gaps[n-1] == 0 {
			return p, errors.New("its list is damaged")
		}
		at += int64(gap) + 1
		p.Waiting, gaps = append(p.Waiting, at), gaps[n:]
		if len(p.Waiting) > muster.MaxWaiting {
			return p, fmt.Errorf("its list has more than %d offsets", muster.MaxWaiting)
		}
	}
	if p.Waiting[len(p.Waiting)-1] >= p.Next {
		return p, errors.New("its list reaches beyond the next offset")
	}
	return p, nil
}

// decimal reads an offset as it is written: digits, none of them a leading zero.
func decimal(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != text {
		return 0, errors.New("an offset in it is no decimal number")
	}
	return n, nil
}
