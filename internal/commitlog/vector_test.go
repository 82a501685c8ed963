package commitlog

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stdbgo/spacetime/internal/vfs"
)

const vectorDir = "../../testdata/vectors/commitlog/2.8.3"

// A log that the original server wrote reads, resumes and keeps its bytes. What
// its records mean is tested where they are decoded.
func TestOriginalLog(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(vectorDir, segmentName(0)))
	must(t, err)
	fsys := vfs.NewMem()
	putFile(t, fsys, segmentName(0), data)

	var commits []Commit
	total := segmentHeaderSize
	next, err := Verify(fsys, testDir, 0, func(c Commit) error {
		total += commitFraming + len(c.Records)
		c.Records = append([]byte(nil), c.Records...)
		commits = append(commits, c)
		return nil
	})
	must(t, err)
	if total != len(data) {
		t.Errorf("commits fill %d of %d bytes", total, len(data))
	}
	for i, c := range commits {
		if c.Min != Offset(i) || c.N != 1 || c.Epoch != 0 {
			t.Fatalf("commit %d has offset %d, %d records, epoch %d", i, c.Min, c.N, c.Epoch)
		}
		if flags := c.Records[0]; flags&0x1f != 0 || flags&0x20 == 0 {
			t.Errorf("record %d begins with flags %#x", i, flags)
		}
	}

	l := openLog(t, testOptions(fsys))
	if l.Next() != next || l.Durable() != next || int(next) != len(commits) {
		t.Errorf("Next() = %d, Durable() = %d; want %d", l.Next(), l.Durable(), len(commits))
	}
	appendAll(t, l, []byte{0x20, 0, 0, 0})
	must(t, l.Close())
	after := files(t, fsys, testDir)[segmentName(0)]
	if after[:len(data)] != string(data) || len(after) != len(data)+commitFraming+4 {
		t.Errorf("appending changed the log: %d bytes, were %d", len(after), len(data))
	}

	// Compressed, it reads alike.
	fsys = vfs.NewMem()
	putFile(t, fsys, segmentName(0), sealSegment(t, data))
	l = openLog(t, testOptions(fsys))
	defer l.Close()
	i := 0
	must(t, l.Replay(0, func(off Offset, record []byte) (int, error) {
		if string(record) != string(commits[off].Records) {
			t.Errorf("record %d differs", off)
		}
		i++
		return len(record), nil
	}))
	if i != len(commits) {
		t.Errorf("%d records; want %d", i, len(commits))
	}

	var rows map[string][]any
	expected, err := os.ReadFile(filepath.Join(vectorDir, "expected.json"))
	must(t, err)
	must(t, json.Unmarshal(expected, &rows))
	if len(rows["message"]) >= len(commits) {
		t.Errorf("%d messages came from %d transactions", len(rows["message"]), len(commits))
	}
}
