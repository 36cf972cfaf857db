package faulttest

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pando/ctl/program"
	"pando/members/servertest"
)

// mustRefuse starts a server that can't start. The exit code must be exit, and the output must contain each of the texts.
func mustRefuse(t *testing.T, dir string, flags []string, exit int, texts ...string) {
	t.Helper()
	p := servertest.Start(t, dir, flags...)
	code, said := p.AwaitExit(), p.Stderr.String()
	if code != exit {
		t.Errorf("exit code %d, want %d", code, exit)
	}
	for _, text := range texts {
		if !strings.Contains(said, text) {
			t.Errorf("it says\n%swithout %q", said, text)
		}
	}
	if strings.Contains(said, "goroutine ") || strings.Count(said, "\n") > 5 {
		t.Errorf("the output is not fit for operators:\n%s", said)
	}
	if p.Stdout.String() != "" {
		t.Errorf("printed %s", p.Stdout)
	}
}

// TestRefusedStarts starts servers whose address or directory is in use or can't be used.
func TestRefusedStarts(t *testing.T) {
	t.Parallel()
	t.Run("directory in use", func(t *testing.T) {
		dir := t.TempDir()
		p := servertest.Launch(t, dir)
		mustRefuse(t, dir, nil, program.ExitTaken, dir, "another process", "--data-dir")
		servertest.NewKeyClient(t, p.Client).Must(t, "PUT", "/a", servertest.Form("value", "1"))
	})
	t.Run("port in use", func(t *testing.T) {
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		dir := filepath.Join(t.TempDir(), "data")
		url := "http://" + taken.Addr().String()
		for _, flag := range []string{"--listen-client-urls", "--listen-peer-urls", "--listen-metrics-urls"} {
			mustRefuse(t, dir, []string{flag, url}, program.ExitTaken, flag, url, "in use")
		}
		if _, err := os.Stat(dir); err == nil {
			t.Error("a server that could not listen made a data directory")
		}
	})
	t.Run("a file in place of the directory", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "data")
		if err := os.WriteFile(dir, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		mustRefuse(t, dir, nil, program.ExitData, dir)
	})
	t.Run("unwritable directory", func(t *testing.T) {
		if os.Getuid() == 0 {
			mustRefuse(t, "/proc/data", nil, program.ExitFailure, "/proc/data") // the one place where even root can't write
			return
		}
		parent := t.TempDir()
		if err := os.Chmod(parent, 0o500); err != nil {
			t.Fatal(err)
		}
		mustRefuse(t, filepath.Join(parent, "data"), nil, program.ExitFailure, parent, "permission denied")
	})
}

// TestRefusedData starts servers on data of other programs and on damaged data. The servers must end and leave the data
// unchanged.
func TestRefusedData(t *testing.T) {
	t.Parallel()
	t.Run("data of etcd", func(t *testing.T) {
		dir := t.TempDir()
		for name, content := range map[string]string{"member/snap/db": "bolt", "member/wal/0000000000000000-0000000000000000.wal": "log"} {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		before := servertest.Fingerprint(t, dir)
		mustRefuse(t, dir, nil, program.ExitData, dir, "etcd", "--data-dir")
		if servertest.Fingerprint(t, dir) != before {
			t.Error("the directory was changed")
		}
	})
	t.Run("files of others", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "thesis.tex"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		before := servertest.Fingerprint(t, dir)
		mustRefuse(t, dir, nil, program.ExitData, dir, "thesis.tex", "--data-dir")
		if servertest.Fingerprint(t, dir) != before {
			t.Error("the directory was changed")
		}
	})
	t.Run("log without its checkpoint", func(t *testing.T) {
		dir := t.TempDir()
		p := servertest.Launch(t, dir)
		servertest.NewKeyClient(t, p.Client).Must(t, "PUT", "/a", servertest.Form("value", "1"))
		p.Kill()
		if err := os.Remove(filepath.Join(dir, "state.db")); err != nil {
			t.Fatal(err)
		}
		before := servertest.Fingerprint(t, dir)
		mustRefuse(t, dir, nil, program.ExitData, filepath.Join(dir, "state.db"), "missing")
		if servertest.Fingerprint(t, dir) != before {
			t.Error("the directory was changed")
		}
	})
	t.Run("checkpoint without its log", func(t *testing.T) {
		dir := t.TempDir()
		p := servertest.Launch(t, dir)
		servertest.NewKeyClient(t, p.Client).Must(t, "PUT", "/a", servertest.Form("value", "1"))
		p.Terminate()
		if err := os.RemoveAll(filepath.Join(dir, "wal")); err != nil {
			t.Fatal(err)
		}
		before := servertest.Fingerprint(t, dir)
		mustRefuse(t, dir, nil, program.ExitData, filepath.Join(dir, "wal"), "--wal-dir")
		if servertest.Fingerprint(t, dir) != before {
			t.Error("the directory was changed")
		}
	})
}

// TestFullDisk fills a small file system with writes. No acknowledged write may be lost, and the server must give the
// reason why it stops.
func TestFullDisk(t *testing.T) {
	servertest.SkipShort(t, "it writes 140 MB")
	t.Parallel()
	disk := t.TempDir()
	// There is room for two segments of the log. The second is allocated at the start. On a smaller disk the attempt to allocate it
	// would use all the space for a moment.
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=140m", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Skipf("a small file system can't be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", disk).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	dir := filepath.Join(disk, "data")
	p := servertest.Launch(t, dir, "--snapshot-count", "10")
	client := servertest.NewKeyClient(t, p.Client)
	value := strings.Repeat("x", 1<<20)
	acknowledged := 0
	for ; ; acknowledged++ {
		if acknowledged > 200 {
			t.Fatal("the disk never gets full")
		}
		answer, err := client.Do("PUT", "/"+servertest.Itoa(acknowledged), servertest.Form("value", value))
		if err != nil || answer.Status != http.StatusCreated {
			t.Logf("after %d MiB: %+v, %v", acknowledged, answer, err)
			break
		}
	}
	// The disk may be too full for a checkpoint while there is still room for the log.
	said := func() string { return p.Stderr.String() }
	servertest.Await(t, "word of the full disk", func() bool { return strings.Contains(said(), "no space left on device") })
	if code := p.AwaitExit(); code != program.ExitFailure {
		t.Errorf("exit code %d, want %d", code, program.ExitFailure)
	}
	if strings.Contains(said(), "goroutine ") {
		t.Errorf("it says\n%s", said())
	}
	t.Logf("it says\n%s", said())

	if out, err := exec.Command("mount", "-o", "remount,size=400m", disk).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p = servertest.Launch(t, dir)
	found := map[string]servertest.KeyNode{}
	servertest.NewKeyClient(t, p.Client).Must(t, "GET", "/?recursive=true", nil).Node.Files(found)
	if len(found) < acknowledged || len(found) > acknowledged+1 {
		t.Errorf("%d writes were acknowledged, %d are there", acknowledged, len(found))
	}
	p.Terminate()
}
