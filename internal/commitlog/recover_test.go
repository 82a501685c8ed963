package commitlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/vfs"
)

// smallLog writes five commits of 1, 3, 1, 2 and 1 records and returns the
// segment's bytes, the records, and where each commit ends.
func smallLog(t testing.TB) (data []byte, records [][]byte, ends []int) {
	t.Helper()
	records = testRecords(8)
	var commits [][]byte
	end, next := segmentHeaderSize, 0
	for _, n := range []int{1, 3, 1, 2, 1} {
		c := rawCommit(1, Offset(next), 0, records[next:next+n]...)
		commits = append(commits, c)
		next += n
		end += len(c)
		ends = append(ends, end)
	}
	return rawSegment(commits...), records, ends
}

// recordsIn[i] is how many records the first i commits of smallLog hold.
var recordsIn = []int{0, 1, 4, 5, 7, 8}

// wholeCommits counts the commits that end at or before a byte.
func wholeCommits(ends []int, size int) int {
	n := 0
	for n < len(ends) && ends[n] <= size {
		n++
	}
	return n
}

// checkResumes opens a log, expects its first n records, appends two more, opens
// it again and expects all.
func checkResumes(t *testing.T, fsys vfs.FS, records [][]byte) {
	t.Helper()
	l, err := Open(testOptions(fsys))
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if int(l.Next()) != len(records) || int(l.Durable()) != len(records) {
		t.Fatalf("Next() = %d, Durable() = %d; want %d", l.Next(), l.Durable(), len(records))
	}
	wantReplay(t, l, 0, records)
	more := slices.Concat(records, [][]byte{testRecord(500, 33), testRecord(501, 600)})
	appendAll(t, l, more[len(records):]...)
	must(t, l.Close())
	l, err = Open(testOptions(fsys))
	if err != nil {
		t.Fatalf("second Open: %v", err)
	}
	wantReplay(t, l, 0, more)
	must(t, l.Close())
	if next, err := Verify(fsys, testDir, 0, nil); err != nil || int(next) != len(more) {
		t.Fatalf("Verify = %d, %v; want %d", next, err, len(more))
	}
}

// The log is cut at every byte, with the end missing and with zeros in its
// place: exactly the whole commits before the cut remain.
func TestCutAtEveryByte(t *testing.T) {
	spec.Covers(t, "08.50", "08.70")
	whole, records, ends := smallLog(t)
	for size := 0; size <= len(whole); size++ {
		for _, zeros := range []int{0, 1, 40, 5000} {
			if size < segmentHeaderSize && zeros > 0 {
				continue // a header is written before the file has its name
			}
			fsys := vfs.NewMem()
			cut := append(bytes.Clone(whole[:size]), make([]byte, zeros)...)
			putFile(t, fsys, segmentName(0), cut)
			n := wholeCommits(ends, len(cut))
			if zeros > 0 {
				n = wholeCommits(ends, size)
				for n < len(ends) && size < ends[n] && len(cut) >= ends[n] && bytes.Equal(cut[:ends[n]], whole[:ends[n]]) {
					n++ // only zeros were cut off
				}
			}
			t.Run(fmt.Sprintf("size=%d/zeros=%d", size, zeros), func(t *testing.T) {
				checkResumes(t, fsys, records[:recordsIn[n]])
				after := files(t, fsys, testDir)
				kept := bytes.HasPrefix([]byte(after[segmentName(0)]), whole[:min(size, endOf(ends, n))])
				if n > 0 && !kept {
					t.Error("whole commits were changed")
				}
				aside, torn := after[segmentName(0)+tornSuffix]
				if torn && aside != string(cut) {
					t.Error("the segment set aside was changed")
				}
				if n == 0 && size >= segmentHeaderSize+commitHeaderSize && !torn {
					t.Error("a torn first commit was not set aside")
				}
				fragment := size - endOf(ends, n)
				if n > 0 && zeros == 0 && fragment >= commitHeaderSize && after[segmentName(0)] != string(cut) {
					t.Error("a torn segment was changed")
				}
			})
		}
	}
}

func endOf(ends []int, commits int) int {
	if commits == 0 {
		return segmentHeaderSize
	}
	return ends[commits-1]
}

// Every bit flipped: in the last commit it looks like a torn write, elsewhere it
// is corruption that names file and byte and leaves everything as it is.
func TestFlipEveryBit(t *testing.T) {
	spec.Covers(t, "08.50")
	whole, records, ends := smallLog(t)
	lastCommit := ends[len(ends)-2]
	for i := range whole {
		for bit := range 8 {
			fsys := vfs.NewMem()
			flipped := bytes.Clone(whole)
			flipped[i] ^= 1 << bit
			putFile(t, fsys, segmentName(0), flipped)
			if i >= lastCommit {
				checkResumes(t, fsys, records[:recordsIn[4]])
				continue
			}
			if i == 6 && bit == 0 {
				continue // version 0 is a version; its commits do not parse
			}
			if i == 8 || i == 9 {
				checkResumes(t, fsys, records) // reserved
				continue
			}
			before := files(t, fsys, testDir)
			l, err := Open(testOptions(fsys))
			var where *CorruptionError
			if err == nil || !errors.As(err, &where) {
				if l != nil {
					l.Close()
				}
				t.Fatalf("byte %d bit %d: Open: %v; want a CorruptionError", i, bit, err)
			}
			wantAt := endOf(ends, wholeCommits(ends, i))
			if i < segmentHeaderSize {
				wantAt = 0
			}
			if !strings.HasSuffix(where.File, segmentName(0)) || where.At != int64(wantAt) {
				t.Errorf("byte %d bit %d: error names %s byte %d; want byte %d", i, bit, where.File, where.At, wantAt)
			}
			if after := files(t, fsys, testDir); len(after) != len(before) || after[segmentName(0)] != before[segmentName(0)] {
				t.Fatalf("byte %d bit %d: the damaged log was changed", i, bit)
			}
			if _, err := Verify(fsys, testDir, 0, nil); err == nil {
				t.Errorf("byte %d bit %d: Verify finds nothing", i, bit)
			}
		}
	}
}

// damaged returns a commit with a wrong byte in its records.
func damaged(commit []byte) []byte {
	c := bytes.Clone(commit)
	c[len(c)-6] ^= 0x40
	return c
}

func TestOpenSituations(t *testing.T) {
	spec.Covers(t, "08.50", "08.51", "08.52", "08.54", "08.70")
	r := testRecords(12)
	commits := func(from, n int) []byte {
		var b []byte
		for i := from; i < from+n; i++ {
			b = append(b, rawCommit(1, Offset(i), 0, r[i])...)
		}
		return b
	}
	v0 := func(from, n int) []byte {
		b := []byte("(ds)^2\x00\x00\x00\x00")
		for i := from; i < from+n; i++ {
			b = append(b, rawCommit(0, Offset(i), 0, r[i])...)
		}
		return b
	}
	wrongLength := func(c []byte, n uint32) []byte {
		c = bytes.Clone(c)
		binary.LittleEndian.PutUint32(c[18:], n)
		return c
	}
	type segments map[int][]byte
	for _, tt := range []struct {
		name  string
		in    segments
		next  int    // after opening
		files string // after opening
		err   string // instead
	}{
		{"nothing", segments{}, 0, "0000.stdb.log", ""},
		{"header and zeros", segments{0: rawSegment(make([]byte, 1000))}, 0, "0000.stdb.log", ""},
		{"a torn tail", segments{0: rawSegment(commits(0, 3), damaged(commits(3, 1)))}, 3, "0000.stdb.log 0003.stdb.log", ""},
		{"a torn tail and space", segments{0: rawSegment(commits(0, 3), damaged(commits(3, 1)), make([]byte, 999))}, 3, "0000.stdb.log 0003.stdb.log", ""},
		{"a torn tail of several records", segments{0: rawSegment(commits(0, 3), damaged(rawCommit(1, 3, 0, r[3:7]...)))}, 3, "0000.stdb.log 0003.stdb.log", ""},
		{"an old torn tail", segments{0: rawSegment(commits(0, 3), damaged(commits(3, 1))), 3: rawSegment(commits(3, 2))}, 5, "0000.stdb.log 0003.stdb.log", ""},
		{"two torn tails", segments{0: rawSegment(commits(0, 3), damaged(commits(3, 1))), 3: rawSegment(damaged(commits(3, 1)))}, 3,
			"0000.stdb.log 0003.stdb.log 0003.stdb.log.torn", ""},
		{"21 bytes of garbage", segments{0: rawSegment(commits(0, 3), bytes.Repeat([]byte{9}, 21))}, 3, "0000.stdb.log", ""},
		{"22 bytes of garbage", segments{0: rawSegment(commits(0, 3), bytes.Repeat([]byte{9}, 22))}, 3, "0000.stdb.log 0003.stdb.log", ""},
		{"an empty newest segment", segments{0: rawSegment(commits(0, 3)), 3: rawSegment()}, 3, "0000.stdb.log 0003.stdb.log", ""},
		{"an empty newest file", segments{0: rawSegment(commits(0, 3)), 3: nil}, 3, "0000.stdb.log 0003.stdb.log", ""},
		{"empty segments that lead nowhere", segments{0: rawSegment(commits(0, 3)), 5: rawSegment(), 9: rawSegment(make([]byte, 50))}, 3, "0000.stdb.log", ""},
		{"a torn first commit", segments{0: rawSegment(commits(0, 3)), 3: rawSegment(commits(3, 1)[:30])}, 3,
			"0000.stdb.log 0003.stdb.log 0003.stdb.log.torn", ""},
		{"a damaged first commit", segments{0: rawSegment(commits(0, 3)), 3: rawSegment(damaged(commits(3, 1)))}, 3,
			"0000.stdb.log 0003.stdb.log 0003.stdb.log.torn", ""},
		{"a compressed newest segment", segments{0: sealSegment(t, rawSegment(commits(0, 3)))}, 3, "0000.stdb.log 0003.stdb.log", ""},
		{"compressed segments", segments{0: sealSegment(t, rawSegment(commits(0, 3))), 3: sealSegment(t, rawSegment(commits(3, 2))), 5: rawSegment(commits(5, 1))}, 6,
			"0000.stdb.log 0003.stdb.log 0005.stdb.log", ""},
		{"a newest segment of version 0", segments{0: v0(0, 4)}, 4, "0000.stdb.log 0004.stdb.log", ""},
		{"an empty segment of version 0", segments{0: v0(0, 0)}, 0, "0000.stdb.log", ""},
		{"an old segment of version 0", segments{0: v0(0, 4), 4: rawSegment(commits(4, 1))}, 5, "0000.stdb.log 0004.stdb.log", ""},
		{"a repeated commit", segments{0: rawSegment(commits(0, 2), commits(1, 1), commits(2, 1))}, 3, "0000.stdb.log", ""},
		{"a log whose start is gone", segments{4: rawSegment(commits(4, 2))}, 6, "0004.stdb.log", ""},
		{"a torn first commit of all that is left", segments{4: rawSegment(damaged(commits(4, 1)))}, 4, "0004.stdb.log 0004.stdb.log.torn", ""},

		{"a whole commit behind a damaged one", segments{0: rawSegment(commits(0, 2), damaged(commits(2, 1)), commits(3, 1))}, 0, "",
			"0000.stdb.log, byte 103: commit checksum differs, and a whole commit follows at byte 151"},
		{"a whole commit behind a damaged first one", segments{0: rawSegment(commits(0, 3)), 3: rawSegment(damaged(commits(3, 1)), commits(4, 1))}, 0, "",
			"0003.stdb.log, byte 10: commit checksum differs, and a whole commit follows at byte 59"},
		{"a damaged length with a whole commit behind", segments{0: rawSegment(commits(0, 2), wrongLength(commits(2, 1), 1<<30), commits(3, 1))}, 0, "",
			"byte 103: commit is cut short, and a whole commit follows at byte 151"},
		{"a whole commit after zeros", segments{0: rawSegment(commits(0, 2), make([]byte, 40_000), commits(3, 1))}, 0, "",
			"byte 103: commit is cut short: zeros stand in its place, and a whole commit follows at byte 40103"},
		{"whole commits behind garbage", segments{0: rawSegment(commits(0, 2), bytes.Repeat([]byte{3}, 600_000), commits(7, 2))}, 0, "",
			"byte 103: commit is cut short, and a whole commit follows at byte 600103"},
		{"version 0, a whole commit behind a damaged one", segments{0: slices.Concat(v0(0, 2), damaged(v0(2, 1)[10:]), v0(3, 1)[10:])}, 0, "",
			"byte 87: commit checksum differs, and a whole commit follows at byte 127"},
		{"a damaged first commit behind a gap", segments{0: rawSegment(commits(0, 2)), 3: rawSegment(damaged(commits(3, 1)))}, 0, "",
			"0003.stdb.log, byte 10: commit checksum differs, and the segment before ends at offset 2"},
		{"a compressed segment that is damaged", segments{0: sealSegment(t, rawSegment(commits(0, 2), damaged(commits(2, 1))))}, 0, "", "byte 103: commit checksum differs"},
		{"a compressed segment without its end", segments{0: sealSegment(t, rawSegment(commits(0, 2)))[:90]}, 0, "", "does not end in a seek table"},
		{"a gap inside", segments{0: rawSegment(commits(0, 1), commits(5, 1))}, 0, "", "byte 56: out-of-order commit: expected-offset=1 actual-offset=5"},
		{"an older offset", segments{0: rawSegment(commits(0, 3), commits(0, 1))}, 0, "", "out-of-order commit: expected-offset=3 actual-offset=0"},
		{"a wrong first offset", segments{0: rawSegment(commits(2, 1))}, 0, "", "out-of-order commit: expected-offset=0 actual-offset=2"},
		{"a fork", segments{0: rawSegment(commits(0, 2), rawCommit(1, 1, 0, testRecord(77, 21)))}, 0, "", "forked history: offset=1"},
		{"a lower epoch", segments{0: rawSegment(rawCommit(1, 0, 3, r[0]), rawCommit(1, 1, 2, r[1]))}, 0, "", "new epoch 2 is smaller than current epoch 3"},
		{"a newer version", segments{0: []byte("(ds)^2\x02\x00\x00\x00")}, 0, "", "unsupported log format version: 2"},
		{"no segment at all", segments{0: bytes.Repeat([]byte("hello "), 10)}, 0, "", `byte 0: segment header is damaged: it does not begin with "(ds)^2"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fsys := vfs.NewMem()
			must(t, fsys.MkdirAll(testDir))
			for min, data := range tt.in {
				putFile(t, fsys, segmentName(Offset(min)), data)
			}
			before := files(t, fsys, testDir)
			l, err := Open(testOptions(fsys))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("Open: %v; want %s", err, tt.err)
				}
				if after := files(t, fsys, testDir); fmt.Sprint(after) != fmt.Sprint(before) {
					t.Error("the refused log was changed")
				}
				return
			}
			must(t, err)
			if int(l.Next()) != tt.next {
				t.Errorf("Next() = %d; want %d", l.Next(), tt.next)
			}
			if size := len(files(t, fsys, testDir)[segmentName(0)]); tt.name == "21 bytes of garbage" && size != len(tt.in[0])-21 {
				t.Errorf("the fragment was not cut off: %d bytes", size)
			}
			first := int(l.First())
			wantReplay(t, l, Offset(first), r[first:tt.next])
			if got := fileNames(t, fsys, testDir); got != tt.files {
				t.Errorf("files: %s; want %s", got, tt.files)
			}
			appendAll(t, l, r[tt.next])
			must(t, l.Close())
			for name, data := range before {
				after, ok := files(t, fsys, testDir)[name]
				if strings.HasPrefix(data, zstdMagic) && after != data {
					t.Errorf("compressed segment %s was changed", name)
				}
				if ok && strings.Contains(tt.name, "torn tail") && !strings.HasPrefix(after, strings.TrimRight(data, "\x00")) && len(data) > 60 {
					t.Errorf("torn segment %s was changed", name)
				}
			}
			l = openLog(t, testOptions(fsys))
			defer l.Close()
			wantReplay(t, l, Offset(first), r[first:tt.next+1])
		})
	}
}

// Damage in a segment that is not the newest is found by replay.
func TestReplayFindsDamage(t *testing.T) {
	spec.Covers(t, "08.51")
	r := testRecords(9)
	seg := func(from, n int) []byte {
		b := rawSegment()
		for i := from; i < from+n; i++ {
			b = append(b, rawCommit(1, Offset(i), 0, r[i])...)
		}
		return b
	}
	for _, tt := range []struct {
		name string
		in   map[int][]byte
		want string
	}{
		{"a bit", map[int][]byte{0: damaged(seg(0, 3)), 3: seg(3, 2)},
			"0003.stdb.log: out-of-order commit: expected-offset=2 actual-offset=3: /db/clog/00000000000000000000.stdb.log, byte 103: commit checksum differs"},
		{"a cut", map[int][]byte{0: seg(0, 3)[:120], 3: seg(3, 2)},
			"expected-offset=2 actual-offset=3: /db/clog/00000000000000000000.stdb.log, byte 103: commit is cut short"},
		{"a missing segment", map[int][]byte{0: seg(0, 3), 5: seg(5, 2)}, "0005.stdb.log: out-of-order commit: expected-offset=3 actual-offset=5"},
		{"an emptied segment", map[int][]byte{0: seg(0, 3), 3: nil, 5: seg(5, 2)}, "0005.stdb.log: out-of-order commit: expected-offset=3 actual-offset=5"},
		{"a segment too long", map[int][]byte{0: seg(0, 4), 3: seg(3, 2)}, "0003.stdb.log: out-of-order commit: expected-offset=4 actual-offset=3"},
		{"a header", map[int][]byte{0: append([]byte("x"), seg(0, 3)...), 3: seg(3, 2)}, "0000.stdb.log, byte 0: segment header is damaged"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fsys := vfs.NewMem()
			for min, data := range tt.in {
				putFile(t, fsys, segmentName(Offset(min)), data)
			}
			l := openLog(t, testOptions(fsys))
			defer l.Close()
			want := filepath.FromSlash(tt.want)
			if _, err := replayed(l, 0); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Replay: %v; want %s", err, want)
			}
			if _, err := Verify(fsys, testDir, 0, nil); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Verify: %v; want %s", err, want)
			}
		})
	}
}

// An offset index is neither needed nor believed.
func TestOffsetIndexIsIgnored(t *testing.T) {
	spec.Covers(t, "08.53")
	whole, records, _ := smallLog(t)
	lie := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, 5), 17)
	for _, index := range [][]byte{nil, {}, lie, lie[:9], bytes.Repeat([]byte{0xff}, 160)} {
		fsys := vfs.NewMem()
		putFile(t, fsys, segmentName(0), whole)
		if index != nil {
			putFile(t, fsys, indexName(0), index)
		}
		l := openLog(t, testOptions(fsys))
		for from := range records {
			wantReplay(t, l, Offset(from), records[from:])
		}
		must(t, l.Close())
		checkResumes(t, fsys, records)
	}
}

// Rows chosen so that a commit of half the length could begin at every few bytes
// behind the damage must not make the search slow: checksums one by one would
// take the time for 700 GB.
func TestSearchIsNotQuadratic(t *testing.T) {
	var fake [24]byte
	binary.LittleEndian.PutUint64(fake[:], 2)        // offset
	binary.LittleEndian.PutUint16(fake[16:], 1)      // records
	binary.LittleEndian.PutUint32(fake[18:], 4<<20)  // length
	rows := bytes.Repeat(fake[:], (8<<20)/len(fake)) // epoch 0
	fsys := vfs.NewMem()
	putFile(t, fsys, segmentName(0), rawSegment(rawCommit(1, 0, 0, testRecord(0, 20)), damaged(rawCommit(1, 1, 0, rows))))
	start := time.Now()
	l := openLog(t, testOptions(fsys))
	defer l.Close()
	if took := time.Since(start); l.Next() != 1 || took > 2*time.Minute {
		t.Errorf("Next() = %d after %v; want 1 within two minutes", l.Next(), took)
	}
}

// A whole commit is found wherever it stands between the windows and grains in
// which the search proceeds.
func TestSearchFindsAtEveryPosition(t *testing.T) {
	behind := rawCommit(1, 3, 0, testRecord(3, 9000))
	first := rawCommit(1, 0, 0, testRecord(0, 20))
	for _, gap := range []int{27, 28, 4095, 4096, 4097, readBufferSize - 30, readBufferSize - 22, readBufferSize - 21, readBufferSize - 2,
		readBufferSize - 1, readBufferSize, readBufferSize + 1, readBufferSize + 40, 2*readBufferSize - 21, 2*readBufferSize - 22} {
		fsys := vfs.NewMem()
		putFile(t, fsys, segmentName(0), rawSegment(first, bytes.Repeat([]byte{5}, gap), behind))
		_, err := Open(testOptions(fsys))
		want := fmt.Sprintf("a whole commit follows at byte %d:", segmentHeaderSize+len(first)+gap)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("gap %d: Open: %v; want %s", gap, err, want)
		}
	}
}

// What Open reports durable is on disk even if its writer never synced it, as
// one that was killed in the middle of a batch.
func TestOpenSyncsWhatItFinds(t *testing.T) {
	r := testRecords(4)
	for name, data := range map[string][]byte{
		"whole": rawSegment(rawCommit(1, 0, 0, r[0]), rawCommit(1, 1, 0, r[1])),
		"torn":  rawSegment(rawCommit(1, 0, 0, r[0]), rawCommit(1, 1, 0, r[1]), damaged(rawCommit(1, 2, 0, r[2]))),
	} {
		t.Run(name, func(t *testing.T) {
			fsys := vfs.NewMem()
			must(t, fsys.MkdirAll(testDir))
			f, err := fsys.Create(testDir + "/" + segmentName(0))
			must(t, err)
			_, err = f.Write(data)
			must(t, err)
			must(t, f.Close())
			l := openLog(t, testOptions(fsys))
			crashed := fsys.CrashClone(nil)
			must(t, l.Close())
			checkResumes(t, crashed, r[:2])
		})
	}
}

func TestLeftoversAreRemoved(t *testing.T) {
	fsys := vfs.NewMem()
	putFile(t, fsys, "unrelated", nil)
	putFile(t, fsys, segmentName(7)+vfs.TempSuffix, []byte("half"))
	l := openLog(t, testOptions(fsys))
	must(t, l.Close())
	if got, want := fileNames(t, fsys, testDir), "0000.stdb.log unrelated"; got != want {
		t.Errorf("files: %s; want %s", got, want)
	}
}
