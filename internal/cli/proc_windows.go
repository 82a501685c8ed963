package cli

import (
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// ownGroup keeps Ctrl-C of the console away from a command, which is ended by
// killGroup.
func ownGroup(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.CreationFlags |= windows.CREATE_NEW_PROCESS_GROUP
}

// killGroup ends a process and all that it has started. Nothing can be asked to end
// here.
func killGroup(cmd *exec.Cmd, gently bool) {
	if gently {
		return
	}
	if exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(cmd.Process.Pid)).Run() != nil {
		_ = cmd.Process.Kill()
	}
}

// groupGone reports whether to wait no longer for a process to end by itself.
func groupGone(cmd *exec.Cmd) bool { return cmd.ProcessState != nil }

// probeProcesses is for systems where starting processes has to be tried out.
func probeProcesses() {}

// keepChildren puts this process into a job that ends with it, and with it all
// processes that it starts, however it ends.
var keepChildren = sync.OnceFunc(func() {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return
	}
	var info windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	info.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	if err == nil {
		err = windows.AssignProcessToJobObject(job, windows.CurrentProcess())
	}
	if err != nil {
		_ = windows.CloseHandle(job)
	}
	// The handle stays open for as long as the process lives.
})

// shellCommand runs a text as the user's shell does. What it quotes is cmd's to
// understand, not to be quoted once more.
func shellCommand(text string) *exec.Cmd {
	cmd := exec.Command("cmd")
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: `cmd /C ` + text}
	return cmd
}
