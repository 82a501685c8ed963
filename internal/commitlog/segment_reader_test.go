package commitlog

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/stdbgo/spacetime/internal/vfs"
)

// readSegment reads all commits of a segment in memory.
func readSegment(data []byte) (commits []Commit, err error) {
	s := &segmentReader{path: "segment"}
	defer func() { s.close() }()
	if err := s.startStream(bytes.NewReader(data), int64(len(data))); err != nil {
		return nil, err
	}
	for {
		c, err := s.next()
		if err == io.EOF {
			return commits, nil
		} else if err != nil {
			return commits, err
		}
		c.Records = slices.Clone(c.Records)
		commits = append(commits, c)
	}
}

// sealSegment compresses a segment as other servers do: zstd frames of 4 KiB and
// a seek table.
func sealSegment(t testing.TB, plain []byte) []byte {
	t.Helper()
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	must(t, err)
	defer enc.Close()
	var out, table []byte
	frames := uint32(0)
	for part := range slices.Chunk(plain, 4096) {
		frame := enc.EncodeAll(part, nil)
		out = append(out, frame...)
		table = binary.LittleEndian.AppendUint32(table, uint32(len(frame)))
		table = binary.LittleEndian.AppendUint32(table, uint32(len(part)))
		frames++
	}
	out = binary.LittleEndian.AppendUint32(out, 0x184d2a5e)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(table)+9))
	out = append(out, table...)
	out = binary.LittleEndian.AppendUint32(out, frames)
	out = append(out, 0)
	return binary.LittleEndian.AppendUint32(out, 0x8f92eab1)
}

// The example of spec 08 §25.3, byte by byte.
func TestWorkedExample(t *testing.T) {
	raw := strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(`
		0300000000000000 0000000000000000 0100 88000000
		a0 4c000000 0c 73656e645f6d657373616765
		1ad49e8797aeebfb48dac7f50417c4df7540633f52681071545178bd18f200c2
		5045ca3bc37d2f62bedc61278a525756 cc38b4cda53c0600 03000000 6f6d67
		01 01100000 01
		1ad49e8797aeebfb48dac7f50417c4df7540633f52681071545178bd18f200c2 cc38b4cda53c0600 03000000 6f6d67
		00 00 151b5921`)
	commit, err := hex.DecodeString(raw)
	must(t, err)
	got, err := readSegment(rawSegment(commit))
	must(t, err)
	if len(got) != 1 || got[0].Min != 3 || got[0].Epoch != 0 || got[0].N != 1 || len(got[0].Records) != 136 || got[0].CRC != 0x21591b15 {
		t.Fatalf("read %+v", got)
	}
	b := batch{}
	b.reset(3)
	b.add(got[0].Records)
	b.seal(0)
	if !bytes.Equal(b.buf, commit) {
		t.Errorf("written %x; want %x", b.buf, commit)
	}
	if got := crc32.Checksum([]byte("123456789"), castagnoli); got != 0xe3069283 {
		t.Errorf("CRC32C of 123456789 = %#x; want 0xe3069283", got)
	}
}

func TestReadSegment(t *testing.T) {
	a := rawCommit(1, 0, 0, testRecord(0, 40), testRecord(1, 50))
	b := rawCommit(1, 2, 0, testRecord(2, 60))
	whole := rawSegment(a, b)
	flip := func(i int) []byte { d := bytes.Clone(whole); d[i] ^= 1; return d }
	atB := segmentHeaderSize + len(a)

	for _, tt := range []struct {
		name    string
		in      []byte
		commits int
		err     error
	}{
		{"nothing", nil, 0, errEmptyFile},
		{"half a header", whole[:9], 0, errEmptyFile},
		{"header only", whole[:10], 0, nil},
		{"header and zeros", append(bytes.Clone(whole[:10]), make([]byte, 3000)...), 0, nil},
		{"header and a few zeros", append(bytes.Clone(whole[:10]), make([]byte, 3)...), 0, nil},
		{"two commits", whole, 2, nil},
		{"two commits and zeros", append(bytes.Clone(whole), make([]byte, 1<<20)...), 2, nil},
		{"zeros, then something", append(append(bytes.Clone(whole), make([]byte, 1<<20)...), 1), 2, ErrTorn},
		{"zeros, then something near", append(append(bytes.Clone(whole), make([]byte, 30)...), 1), 2, ErrTorn},
		{"a fragment", append(bytes.Clone(whole), make([]byte, 20)[:1]...), 2, nil},
		{"a fragment that is not zero", append(bytes.Clone(whole), 7), 2, errFragment},
		{"cut in the header of the second", whole[:atB+21], 1, ErrTorn},
		{"cut behind the header of the second", whole[:atB+22], 1, ErrTorn},
		{"cut in the records", whole[:atB+50], 1, ErrTorn},
		{"cut in the checksum", whole[:len(whole)-1], 1, ErrTorn},
		{"magic", flip(3), 0, ErrHeader},
		{"newer version", bytes.Replace(whole, []byte("2\x01"), []byte("2\x02"), 1), 0, ErrVersion},
		{"checksum algorithm", flip(7), 0, ErrHeader},
		{"bit in the first offset", flip(10), 0, ErrChecksum},
		{"bit in the first epoch", flip(18), 0, ErrChecksum},
		{"bit in the second's records", flip(atB + 30), 1, ErrChecksum},
		{"bit in the second's checksum", flip(len(whole) - 1), 1, ErrChecksum},
		{"no records", rawSegment(rawCommit(1, 1, 0)), 0, ErrChecksum},
		{"offset overflow", rawSegment(rawCommit(1, ^Offset(0), 0, testRecord(0, 9))), 0, ErrChecksum},
		{"absurd length", absurdLength(), 0, ErrTorn},
		{"all ones", rawSegment(bytes.Repeat([]byte{0xff}, 64)), 0, ErrChecksum},
		{"version 0", append([]byte("(ds)^2\x00\x00\x00\x00"), rawCommit(0, 0, 0, testRecord(0, 40))...), 1, nil},
		{"compressed", sealSegment(t, whole), 2, nil},
		{"compressed, cut short", sealSegment(t, whole)[:60], 0, ErrChecksum},
		{"compressed, damaged", func() []byte { d := sealSegment(t, whole); d[40] ^= 0x10; return d }(), 0, ErrChecksum},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readSegment(tt.in)
			if len(got) != tt.commits && !strings.HasPrefix(tt.name, "compressed, ") || !errors.Is(err, tt.err) {
				t.Errorf("read %d commits, %v; want %d, %v", len(got), err, tt.commits, tt.err)
			}
			if tt.err != nil && tt.err != errEmptyFile {
				var where *CorruptionError
				if !errors.As(err, &where) || where.File != "segment" {
					t.Errorf("%v does not name the file", err)
				}
			}
		})
	}
}

func absurdLength() []byte {
	commit := rawCommit(1, 0, 0, testRecord(0, 100))
	binary.LittleEndian.PutUint32(commit[18:], 0xffffffff)
	return rawSegment(commit)
}

// A damaged length must not make the reader take memory for it.
func TestAbsurdLengthTakesNoMemory(t *testing.T) {
	for _, data := range [][]byte{absurdLength(), sealSegment(t, absurdLength())} {
		s := &segmentReader{}
		must(t, s.startStream(bytes.NewReader(data), int64(len(data))))
		if _, err := s.next(); !errors.Is(err, ErrTorn) || cap(s.buf) > 1<<20 {
			t.Errorf("next() = %v and takes %d bytes; want ErrTorn and little", err, cap(s.buf))
		}
		must(t, s.close())
	}
}

func TestRangeCRC(t *testing.T) {
	data := testRecord(3, 3*crcGrain+777)
	for _, start := range []int64{0, 5, 4096} {
		c, err := newRangeCRC(bytes.NewReader(data), start, int64(len(data)))
		must(t, err)
		for _, r := range [][2]int64{{start, start}, {start, int64(len(data))}, {start + 1, start + 2},
			{start + 100, start + crcGrain}, {start + crcGrain - 1, start + 2*crcGrain + 1}, {6000, 6500}, {5000, 13000}} {
			got, err := c.sum(r[0], r[1])
			must(t, err)
			if want := crc32.Checksum(data[r[0]:r[1]], castagnoli); got != want {
				t.Errorf("start %d: sum(%d, %d) = %#x; want %#x", start, r[0], r[1], got, want)
			}
		}
	}
}

func FuzzReadSegment(f *testing.F) {
	a, b := rawCommit(1, 0, 0, testRecord(0, 40), testRecord(1, 50)), rawCommit(1, 2, 9, testRecord(2, 60))
	f.Add(rawSegment())
	f.Add(rawSegment(a, b))
	f.Add(rawSegment(a, b)[:120])
	f.Add(append(rawSegment(a), make([]byte, 100)...))
	f.Add(append([]byte("(ds)^2\x00\x00\x00\x00"), rawCommit(0, 0, 0, testRecord(0, 40))...))
	f.Add(sealSegment(f, rawSegment(a, b)))
	f.Fuzz(func(t *testing.T, data []byte) {
		commits, err := readSegment(data)
		var where *CorruptionError
		if err != nil && err != errEmptyFile && !errors.As(err, &where) {
			t.Fatalf("%v is no CorruptionError", err)
		}
		if len(commits) == 0 || len(data) < 7 || data[6] != formatVersion || string(data[:4]) == zstdMagic {
			return
		}
		// What was read, written again, is what stood there.
		again := segmentHeader()
		for _, c := range commits {
			b := batch{}
			b.reset(c.Min)
			b.add(c.Records)
			b.n = c.N
			b.seal(c.Epoch)
			again = append(again, b.buf...)
		}
		if !bytes.Equal(again[10:], data[10:len(again)]) {
			t.Fatalf("commits do not encode to their bytes: %s", fmt.Sprint(len(commits)))
		}
	})
}

// Every byte of a compressed segment damaged in turn: its records come back as they
// were, or reading says that the file is damaged, and never anything else.
func TestFlipEveryByteOfCompressedSegment(t *testing.T) {
	plain, records, _ := smallLog(t)
	sealed := sealSegment(t, plain)
	noticed := 0
	for i := range sealed {
		data := bytes.Clone(sealed)
		data[i] ^= 0x41
		fsys := vfs.NewMem()
		putFile(t, fsys, segmentName(0), data)
		var got [][]byte
		next, err := Read(fsys, testDir, 0, func(_ Offset, data []byte) (int, error) {
			n, err := recordLength(data)
			if err == nil && n <= len(data) {
				got = append(got, bytes.Clone(data[:n]))
			}
			return n, err
		})
		switch {
		case err == nil:
			if int(next) != len(records) || !slices.EqualFunc(got, records, bytes.Equal) {
				t.Fatalf("byte %d: %d records come back, or differ, without an error", i, len(got))
			}
		case !strings.Contains(err.Error(), segmentName(0)):
			t.Errorf("byte %d: the error does not name the file: %v", i, err)
		default:
			noticed++
		}
		if l, err := Open(testOptions(fsys)); err == nil {
			if l.Next() != Offset(len(records)) {
				t.Errorf("byte %d: the log opens with %d records of %d", i, l.Next(), len(records))
			}
			must(t, l.Close())
		}
	}
	if noticed < len(sealed)/2 {
		t.Errorf("only %d of %d damaged bytes were noticed", noticed, len(sealed))
	}
}
