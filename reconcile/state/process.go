package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Process names a process like no other: its host, the boot and the process namespace that it lives in, and its
// number there with the moment, in ticks since the boot, at which it began. Where the system does not say, as
// outside Linux, Boot is empty.
type Process struct {
	Host    string `json:"host,omitempty"`
	Boot    string `json:"boot,omitempty"`
	PID     int    `json:"pid,omitempty"`
	Started uint64 `json:"started,omitempty"`
}

// self is this process.
var self = sync.OnceValue(func() Process {
	p := Process{PID: os.Getpid()}
	host, _ := os.Hostname()
	p.Host = strings.ToValidUTF8(host, "\uFFFD") // as it comes back from JSON
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, err2 := os.Readlink("/proc/self/ns/pid")
	_, began, err3 := stat(p.PID)
	if errors.Join(err, err2, err3) == nil {
		p.Boot, p.Started = string(bytes.TrimSpace(boot))+" "+space, began
	}
	return p
})

// gone says that a process of this very host, boot and namespace is not there any more. Of any other nothing is
// known.
func (p Process) gone() bool {
	here := self()
	if here.Boot == "" || p.Boot != here.Boot || p.Host != here.Host || p.PID <= 0 {
		return false
	}
	// A process that belongs to somebody else may hide in /proc, and still hears signals.
	if there, err := os.FindProcess(p.PID); err != nil || errors.Is(there.Signal(syscall.Signal(0)), os.ErrProcessDone) {
		return true
	}
	state, began, err := stat(p.PID)
	return err == nil && (began != p.Started || state == "Z" || state == "X")
}

// stat is the state of a process and the moment at which it began.
func stat(pid int) (state string, began uint64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0, err
	}
	// Field 2 is a name that may hold blanks and brackets; field 3 is the state, and 22 the start.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 20 {
		return "", 0, fmt.Errorf("process %d: an unknown form of stat", pid)
	}
	began, err = strconv.ParseUint(fields[19], 10, 64)
	return fields[0], began, err
}

// String names a process for people.
func (p Process) String() string {
	if p.Host == "" {
		return "a run"
	}
	return fmt.Sprintf("process %d on %s", p.PID, p.Host)
}
