package host

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/commitlog"
	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/sats"
)

// ProgramKind says which engine runs a program. The values are those of
// st_module.program_kind.
type ProgramKind uint8

const (
	Wasm ProgramKind = 0
	JS   ProgramKind = 1
)

func (k ProgramKind) String() string {
	switch k {
	case Wasm:
		return "WebAssembly"
	case JS:
		return "JavaScript"
	}
	return "unknown kind " + strconv.Itoa(int(k))
}

// Options say where databases live and what they may use. Zero fields mean their
// defaults; Dir and FS may be missing only with InMemory.
type Options struct {
	Dir     string // holds replicas/<id>/
	FS      vfs.FS
	Engines map[ProgramKind]abi.Engine
	Limits  abi.Limits
	Logger  *slog.Logger // default: nobody
	Clock   Clock        // default: the machine's
	Rand    io.Reader    // for the secrets of databases; default: the machine's

	// HTTP says what requests modules may make.
	HTTP HTTPOptions
	// Courier carries the calls of outboxes to other databases; without one the rows
	// of outboxes wait.
	Courier Courier
	// ProcedureInstances is how many instances of a database's module run procedures
	// and HTTP handlers at a time, by kind of program. Default: the number of processors.
	ProcedureInstances map[ProgramKind]int

	// InstanceMemory goes before Limits.Memory, by kind of program.
	InstanceMemory map[ProgramKind]uint64

	// InMemory keeps nothing on disk.
	InMemory bool

	// MaxSegmentBytes is the commitlog option of that name.
	MaxSegmentBytes int64
	// CheckpointTx and CheckpointBytes say after how many transactions, or bytes
	// of records, the next checkpoint is taken. Defaults: 1,000,000 and 256 MiB.
	// None is begun before the log has grown by the length of the last one, so
	// that large databases do not write checkpoints all the time.
	CheckpointTx    uint64
	CheckpointBytes uint64
	// SQLMemory is how many bytes a statement may hold, SQLTime how long it may run,
	// if its caller is not the owner. Defaults: 256 MiB and 30 seconds; negative: no
	// limit.
	SQLMemory int64
	SQLTime   time.Duration
	// SubscriptionBytes bounds the initial rows of a subscription message, which are
	// one message. Default: 256 MiB; negative: no limit.
	SubscriptionBytes int64
	// Retention says which checkpoints and segments of the log stay.
	Retention Retention
}

// A Retention says what stays on disk although recovery does not need it. The zero
// value keeps two checkpoints and the log since the older one.
type Retention struct {
	Checkpoints int  // the newest that stay; default 2
	All         bool // the log stays for ever

	// A segment of the log that is not needed stays if it is among the newest of
	// them, by number or by bytes together, or younger than Age.
	Segments int
	Bytes    int64
	Age      time.Duration

	// Archive is a directory: what would be deleted moves to <Archive>/<replica>.
	Archive string
}

const (
	defaultCheckpointTx    = 1_000_000
	defaultCheckpointBytes = 256 << 20
	defaultCheckpoints     = 2
)

func (o Options) withDefaults() (Options, error) {
	if !o.InMemory && (o.Dir == "" || o.FS == nil) {
		return o, errors.New("host: options: Dir and FS are needed unless databases live in memory")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = SystemClock{}
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.CheckpointTx == 0 {
		o.CheckpointTx = defaultCheckpointTx
	}
	if o.CheckpointBytes == 0 {
		o.CheckpointBytes = defaultCheckpointBytes
	}
	if o.SQLMemory == 0 {
		o.SQLMemory = defaultSQLMemory
	}
	if o.SQLTime == 0 {
		o.SQLTime = defaultSQLTime
	}
	if o.SubscriptionBytes == 0 {
		o.SubscriptionBytes = defaultSubscription
	}
	if o.Retention.Checkpoints == 0 {
		o.Retention.Checkpoints = defaultCheckpoints
	}
	return o, nil
}

func (o *Options) poolSize(kind ProgramKind) int {
	if n := o.ProcedureInstances[kind]; n > 0 {
		return n
	}
	return runtime.NumCPU()
}

// DatabaseInfo says which database a replica is of.
type DatabaseInfo struct {
	Replica     uint64 // names its directory
	Identity    sats.Identity
	Owner       sats.Identity
	Kind        ProgramKind // of the initial program
	ProgramHash sats.Hash   // of the initial program; not looked at if zero
	// Environment is the environment that a database is created with. Only Create
	// looks at it.
	Environment EnvUpdate
}

// A Host is the set of databases of one server, each opened when it is first
// asked for. All methods may be called concurrently.
type Host struct {
	opts   Options
	since  func(start time.Time) time.Duration // by the clock of opts
	egress *egress

	mu struct {
		sync.Mutex
		replicas map[uint64]*launch
		deleted  map[uint64]bool   // they must not come to life again
		launches map[uint64]uint64 // how often each was tried
		closed   bool
	}
	work sync.WaitGroup // launches under way
}

// A launch is a replica that runs, or is about to.
type launch struct {
	ready chan struct{} // closed when db and err are set
	db    *Database
	err   error
}

// New returns a Host without databases.
func New(o Options) (*Host, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	h := &Host{opts: o, since: sinceOf(o.Clock), egress: newEgress(o.HTTP, o.Clock)}
	h.mu.replicas, h.mu.deleted = map[uint64]*launch{}, map[uint64]bool{}
	return h, nil
}

// Open returns the database, launching it if it does not run: recovery, then its
// module, then disconnect handling for clients that a crash left behind. A replica
// without a first transaction is initialised with the program that initial
// returns. Callers share one launch; after a failure the next call tries again.
// ctx ends the caller's wait, not the launch.
func (h *Host) Open(ctx context.Context, info DatabaseInfo, initial func() ([]byte, error)) (*Database, error) {
	for {
		db, err := h.launch(ctx, info, func() (*Database, error) { return openDatabase(h, info, initial) })
		if err != errEnded {
			return db, err
		}
	}
}

// Create launches a database that was never there. The program runs in a
// throw-away database first; after any failure nothing is left of it.
func (h *Host) Create(ctx context.Context, info DatabaseInfo, program []byte) (*Database, error) {
	var created bool
	db, err := h.launch(ctx, info, func() (*Database, error) {
		created = true
		return createDatabase(h, info, program)
	})
	switch {
	case err == nil && !created:
		return nil, fmt.Errorf("host: replica %d is running already", info.Replica)
	case err == errEnded && created: // its log failed at once
		err = errors.Join(fmt.Errorf("host: database %s stopped as soon as it was made", info.Identity), h.remove(info.Replica))
	}
	return db, err
}

// errEnded means that a database has ended meanwhile.
var errEnded = errors.New("host: the database has ended")

// launch returns the running database of a replica, starting it if need be. One
// that is ending is waited for, and the result is errEnded.
func (h *Host) launch(ctx context.Context, info DatabaseInfo, start func() (*Database, error)) (*Database, error) {
	l, err := h.join(info.Replica, start)
	if err != nil {
		return nil, err
	}
	select {
	case <-l.ready:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if l.err != nil {
		return nil, l.err
	}
	if l.db.info.Identity != info.Identity {
		return nil, fmt.Errorf("mismatched database identity: %s != %s", l.db.info.Identity, info.Identity)
	}
	if !l.db.isEnding() {
		return l.db, nil
	}
	select {
	case <-l.db.done:
		h.forget(info.Replica, l)
		return nil, errEnded
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// join returns the launch of a replica, begun now if there is none.
func (h *Host) join(replica uint64, start func() (*Database, error)) (*launch, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.closed || h.mu.deleted[replica] {
		return nil, ErrStopped
	}
	if l := h.mu.replicas[replica]; l != nil {
		return l, nil
	}
	l := &launch{ready: make(chan struct{})}
	h.mu.replicas[replica] = l
	if h.mu.launches == nil {
		h.mu.launches = map[uint64]uint64{}
	}
	h.mu.launches[replica]++
	h.work.Add(1)
	go func() {
		defer h.work.Done()
		l.db, l.err = start()
		if l.err != nil {
			h.forget(replica, l)
		}
		close(l.ready)
	}()
	return l, nil
}

// forget takes a replica out of the registry if it is still that launch.
func (h *Host) forget(replica uint64, l *launch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.replicas[replica] == l {
		delete(h.mu.replicas, replica)
	}
}

// closeFailed closes a database that has failed and takes it out of the registry,
// so that the next Open reads what is really on disk.
func (h *Host) closeFailed(db *Database) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.closed {
		return // Close does it
	}
	h.work.Add(1)
	go func() {
		defer h.work.Done()
		if err := db.close(false); err != nil {
			db.logger.Warn("the database did not close cleanly", slog.Any("error", err))
		}
		h.forgetDatabase(db)
	}()
}

func (h *Host) forgetDatabase(db *Database) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.mu.replicas[db.info.Replica]
	if l == nil {
		return
	}
	select {
	case <-l.ready:
		if l.db == db {
			delete(h.mu.replicas, db.info.Replica)
		}
	default:
	}
}

// Stop ends a running replica and flushes its log; the files stay. ctx ends the
// wait, not the stopping. A replica that does not run is no error.
func (h *Host) Stop(ctx context.Context, replica uint64) error {
	return h.stop(ctx, replica, func() error { return nil })
}

// Delete is Stop, and then removes all files of the replica, which cannot be opened
// again. Its archive stays.
func (h *Host) Delete(ctx context.Context, replica uint64) error {
	h.mu.Lock()
	h.mu.deleted[replica] = true
	delete(h.mu.launches, replica)
	h.mu.Unlock()
	return h.stop(ctx, replica, func() error { return h.remove(replica) })
}

// stop ends a replica, if it runs, and calls then.
func (h *Host) stop(ctx context.Context, replica uint64, then func() error) error {
	h.mu.Lock()
	if h.mu.closed {
		h.mu.Unlock()
		return nil
	}
	l := h.mu.replicas[replica]
	h.work.Add(1)
	h.mu.Unlock()

	stopped := make(chan error, 1)
	go func() {
		defer h.work.Done()
		var err error
		if l != nil {
			if <-l.ready; l.err == nil {
				err = l.db.close(false)
				h.forget(replica, l) // now that its files are free
			}
		}
		stopped <- errors.Join(err, then())
	}()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// remove deletes the files of a replica.
func (h *Host) remove(replica uint64) error {
	if h.opts.InMemory {
		return nil
	}
	dir := h.replicaDir(replica)
	err := h.opts.FS.RemoveAll(dir)
	if err == nil {
		err = h.opts.FS.SyncDir(filepath.Dir(dir))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("host: remove replica %d: %w", replica, err)
	}
	return nil
}

// Close ends all databases. Clients that are left are disconnected first, as far
// as their modules allow it; the next launch would do it otherwise.
func (h *Host) Close() error {
	h.mu.Lock()
	h.mu.closed = true
	launches := h.mu.replicas
	h.mu.replicas = map[uint64]*launch{}
	h.mu.Unlock()

	var errs []error
	for _, l := range launches {
		<-l.ready
		if l.err == nil {
			errs = append(errs, l.db.close(true))
		}
	}
	h.work.Wait()
	h.egress.close()
	return errors.Join(errs...)
}

// StoredLog returns the newest stored module log of a replica that cannot be
// launched: its last lines, or all of them if tail is negative.
func (h *Host) StoredLog(replica uint64, tail int) ([]byte, error) {
	if h.opts.InMemory {
		return nil, nil
	}
	return newestLog(h.opts.FS, filepath.Join(h.replicaDir(replica), logsDir), tail)
}

const (
	replicasDir    = "replicas"
	lockFile       = "db.lock"
	secretFile     = "secret"
	clogDir        = "clog"
	checkpointsDir = "checkpoints"
	logsDir        = "module_logs"
)

func (h *Host) replicaDir(replica uint64) string {
	return filepath.Join(h.opts.Dir, replicasDir, strconv.FormatUint(replica, 10))
}

func (h *Host) commitlogOptions(dir string) commitlog.Options {
	r := &h.opts.Retention
	return commitlog.Options{
		FS: h.opts.FS, Dir: filepath.Join(dir, clogDir),
		MaxSegmentBytes: h.opts.MaxSegmentBytes, Logger: h.opts.Logger,
		Retention: commitlog.Retention{
			Segments: r.Segments, Bytes: r.Bytes, Age: r.Age, Archive: h.archive(dir, clogDir),
			Now: h.opts.Clock.Now,
		},
	}
}

func (h *Host) checkpointOptions(dir string) commitlog.CheckpointOptions {
	return commitlog.CheckpointOptions{
		FS: h.opts.FS, Dir: filepath.Join(dir, checkpointsDir), Logger: h.opts.Logger, Archive: h.archive(dir, checkpointsDir),
	}
}

// archive is where files of a replica's folder go that are not needed any more.
func (h *Host) archive(replicaDir, folder string) string {
	if h.opts.Retention.Archive == "" {
		return ""
	}
	return filepath.Join(h.opts.Retention.Archive, filepath.Base(replicaDir), folder)
}

// launchesOf is how often a replica's launch was tried.
func (h *Host) launchesOf(replica uint64) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mu.launches[replica]
}
