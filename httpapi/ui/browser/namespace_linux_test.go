package browser

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// noLoopback is the exit code of a process that can't start the loopback interface of its network. Some systems allow new networks, but
// not their use.
const noLoopback = 121

// inNamespace is set in the environment of a process that enterNamespace has started.
const inNamespace = "PAGE_TESTS_IN_NAMESPACE"

// enterNamespace runs this program once more in a network of its own, and exits with its code. Chromium breaks all its requests with
// ERR_NETWORK_CHANGED when an address of the machine changes. Other tests change addresses, but not those of a network of its own. Where
// the system does not allow that, enterNamespace returns, and the tests run in the network of the machine.
func enterNamespace() {
	if os.Getenv(inNamespace) != "" {
		return
	}
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), inNamespace+"=yes")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		identity := func(id int) []syscall.SysProcIDMap {
			return []syscall.SysProcIDMap{{ContainerID: id, HostID: id, Size: 1}}
		}
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = identity(os.Geteuid()), identity(os.Getegid())
		cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN}
	}
	if cmd.Start() != nil {
		return
	}
	err := cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if exit.ExitCode() == noLoopback {
			return
		}
		os.Exit(max(1, exit.ExitCode()))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// startLoopback starts the loopback interface of a new network.
func startLoopback() {
	if os.Getenv(inNamespace) == "" {
		return
	}
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	defer unix.Close(socket)
	loopback, err := unix.NewIfreq("lo")
	if err != nil {
		panic(err)
	}
	loopback.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, loopback); err != nil {
		os.Exit(noLoopback)
	}
}
