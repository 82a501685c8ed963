//go:build unix

package cli

import (
	"os"
	"os/exec"
	"syscall"
)

// probeProcesses has the os package find out now what the system knows of processes.
// On Linux it starts one for that which shares this one's memory, the first time that
// anything is started, and a Ctrl-C that hits it meanwhile corrupts both. At the begin
// of a command nobody presses Ctrl-C; when it first starts something somebody may.
func probeProcesses() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Release()
	}
}

// ownGroup makes a command the leader of a process group, which killGroup ends as a
// whole: what a shell or npm has started, too.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup ends a process group, or asks it to end.
func killGroup(cmd *exec.Cmd, gently bool) {
	signal := syscall.SIGKILL
	if gently {
		signal = syscall.SIGTERM
	}
	_ = syscall.Kill(-cmd.Process.Pid, signal)
}

// groupGone reports whether nothing of a group runs any more.
func groupGone(cmd *exec.Cmd) bool { return syscall.Kill(-cmd.Process.Pid, 0) != nil }

// keepChildren binds the processes that this one starts to its own life, where the
// system can.
func keepChildren() {}

// shellCommand runs a text as the user's shell does.
func shellCommand(text string) *exec.Cmd { return exec.Command("sh", "-c", text) }
