package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// progressAfter is how long something takes before its progress is shown.
const progressAfter = time.Second

// A progress shows on the error stream, if that is a terminal, how far something is
// that takes long. It ends with end, which leaves nothing behind.
type progress struct {
	out   io.Writer
	what  string
	total int64  // bytes; 0 or less: not known
	then  string // what goes on when all bytes are done; "" if nothing does

	mu    sync.Mutex
	done  int64
	shown bool
	stop  chan struct{}
	idle  sync.WaitGroup
	once  sync.Once
}

// progress begins to show something, after a moment.
func (r *run) progress(what string, total int64) *progress {
	return r.begin(&progress{what: what, total: total})
}

// uploading begins to show how much of a body the server has taken, and then that it is
// waited for.
func (r *run) uploading(body []byte) *progress {
	return r.begin(&progress{what: "Uploading", total: int64(len(body)), then: "Waiting for the server"})
}

func (r *run) begin(p *progress) *progress {
	p.out, p.stop = r.Stderr, make(chan struct{})
	_, shared := r.Stderr.(*lockedWriter) // whose lines would end up in it
	if shared || !terminal(r.Stderr) || r.Getenv("TERM") == "dumb" {
		p.out = nil
		return p
	}
	p.idle.Go(p.run)
	return p
}

func (p *progress) run() {
	begin := time.Now()
	wait := time.NewTimer(progressAfter)
	defer wait.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-wait.C:
		}
		p.draw(time.Since(begin))
		wait.Reset(100 * time.Millisecond)
	}
}

func (p *progress) draw(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	what := p.what
	if p.then != "" && p.done >= p.total {
		what = p.then
	}
	text := fmt.Sprintf("%s… %ds", what, int(took.Seconds()))
	if p.total > 0 && what == p.what {
		const width = 24
		at := int(min(p.done, p.total) * width / p.total)
		text = fmt.Sprintf("%s [%s%s] %d%%", p.what, strings.Repeat("=", at), strings.Repeat(" ", width-at), min(p.done, p.total)*100/p.total)
	} else if p.done > 0 && what == p.what {
		text = fmt.Sprintf("%s… %.1f MiB", p.what, float64(p.done)/(1<<20))
	}
	if l, ok := p.out.(interface{ Fd() uintptr }); ok {
		if columns, _, err := term.GetSize(int(l.Fd())); err == nil && len(text) >= columns {
			text = string([]rune(text)[:max(0, min(columns-1, len([]rune(text))))])
		}
	}
	p.shown = true
	fmt.Fprintf(p.out, "\r\x1b[K%s", text)
}

// add counts bytes that are done.
func (p *progress) add(n int) {
	p.mu.Lock()
	p.done += int64(n)
	p.mu.Unlock()
}

// restart begins to count anew.
func (p *progress) restart() {
	p.mu.Lock()
	p.done = 0
	p.mu.Unlock()
}

// end takes the progress off the screen.
func (p *progress) end() {
	p.once.Do(func() {
		if p.out == nil {
			return
		}
		close(p.stop)
		p.idle.Wait()
		if p.shown {
			fmt.Fprint(p.out, "\r\x1b[K")
		}
	})
}

// reader counts what is read.
func (p *progress) reader(from io.Reader) io.Reader {
	return readerFunc(func(b []byte) (int, error) {
		n, err := from.Read(b)
		p.add(n)
		return n, err
	})
}

// writer counts what is written.
func (p *progress) writer(to io.Writer) io.Writer {
	return writerFunc(func(b []byte) (int, error) {
		n, err := to.Write(b)
		p.add(n)
		return n, err
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// tool makes the output of a command that somebody else wrote take the progress off
// the screen. Where there is none the command has the stream itself.
func (p *progress) tool(stream io.Writer) io.Writer {
	if p.out == nil {
		return stream
	}
	return &clearing{to: stream, progress: p}
}

// A clearing takes a progress off the screen before anything else is printed.
type clearing struct {
	to       io.Writer
	progress *progress
}

func (c *clearing) Write(p []byte) (int, error) {
	c.progress.end()
	return c.to.Write(p)
}
