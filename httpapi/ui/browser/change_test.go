package browser

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"pando/members/servertest"
)

// TestCreateAndDelete creates keys and directories, sets TTLs, and deletes, by the dialogs.
func TestCreateAndDelete(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	put(t, s, "/app/name", "pando")
	p := openTab(t, page(s, "#/keys/app"), desktop)
	p.step("a key with a TTL", func(t *testing.T) {
		p.click("button", "Create")
		p.fill("Name", "deep/new key")
		p.fill("Value", "one")
		p.click("radio", "Expires after")
		p.fill("Seconds", "30000")
		p.checkAccessible("the dialog that creates")
		p.click("button", "Create")
		p.see("/app/deep/new key was created.", "8 h 1", "one")
		p.awaitTrue("the new key", `location.hash === "#/keys/app/deep/new%20key"`)
	})
	p.step("an edit keeps the TTL", func(t *testing.T) {
		p.click("button", "Edit")
		p.fill("Value", "two")
		p.click("button", "Save")
		awaitValue(t, s, "/app/deep/new key", "two")
		p.see("8 h 1")
	})
	p.step("remove the TTL", func(t *testing.T) {
		p.click("button", "Set TTL")
		p.click("radio", "No TTL: it stays")
		p.click("button", "Set the TTL")
		p.see("has no TTL now", "never")
	})
	p.step("a key that exists", func(t *testing.T) {
		p.click("link", "app")
		p.click("button", "Create")
		p.fill("Name", "name")
		p.click("button", "Create")
		p.see("Key already exists")
		p.click("button", "Cancel")
	})
	p.step("a directory, and a key in order", func(t *testing.T) {
		p.click("button", "Create")
		p.click("radio", "Directory")
		p.fill("Name", "queue")
		p.click("button", "Create")
		p.see("/app/queue was created.", "Empty")
		p.click("button", "Create")
		p.click("radio", "Key in order")
		p.fill("Value", "job")
		p.click("button", "Create")
		p.see("/app/queue/000000000000000", "job")
	})
	p.step("delete a key", func(t *testing.T) {
		p.deleteKey()
		p.awaitTrue("the focus is in the directory above",
			`location.hash === "#/keys/app/queue" && document.querySelector("main").contains(document.activeElement)`)
	})
	p.step("delete a directory", func(t *testing.T) {
		p.click("link", "app")
		p.awaitTrue("the directory", `location.hash === "#/keys/app"`)
		p.click("button", "Delete")
		p.see("everything below it: 4 nodes")
		p.awaitTrue("the button is disabled", `document.querySelector("dialog button.danger").disabled`)
		p.fill("Type the path to confirm", "/app")
		p.click("button", "Delete")
		p.see("/app was deleted.")
		if got := value(t, s, "/app/name"); got != "404" {
			t.Errorf("the key is %s", got)
		}
	})
}

// deleteKey deletes the key that is shown, by its dialog.
func (p *tab) deleteKey() {
	p.t.Helper()
	p.click("button", "Delete")
	p.see("This deletes the key")
	p.click("button", "Delete")
	p.see("was deleted.")
}

// TestExpiry follows a TTL from the dialog to its end.
func TestExpiry(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	put(t, s, "/lease/worker", "alive")
	p := openTab(t, page(s, "#/keys/lease"), desktop)
	p.step("a directory", func(t *testing.T) {
		p.click("button", "Set TTL")
		p.fill("Seconds", "7200")
		p.click("button", "Set the TTL")
		p.see("1 h 59 min")
	})
	p.step("a key", func(t *testing.T) {
		p.click("treeitem", "worker")
		p.see("alive")
		p.click("button", "Set TTL")
		p.fill("Seconds", "2")
		p.click("button", "Set the TTL")
		p.see("There is no key /lease/worker.")
		p.awaitTrue("the tree has no such row", `![...document.querySelectorAll("[role=treeitem]")].some((r) => r.title === "/lease/worker")`)
	})
	p.step("create it again", func(t *testing.T) {
		p.click("button", "Create it")
		p.fill("Value", "back")
		p.click("button", "Create")
		awaitValue(t, s, "/lease/worker", "back")
		p.see("back")
	})
}

// TestTwoBrowsers lets two persons edit one key.
func TestTwoBrowsers(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	put(t, s, "/app/name", "one\ntwo\nthree")
	a := openTab(t, page(s, "#/keys/app/name"), desktop)
	b := openTab(t, page(s, "#/keys/app/name"), desktop)
	edit := func(p *tab, text string) {
		p.t.Helper()
		p.click("button", "Edit")
		p.fill("Value", text)
	}
	a.step("edit again", func(t *testing.T) {
		edit(a, "one\ntwo of a\nthree")
		edit(b, "one\ntwo of b\nthree")
		b.checkAccessible("the editor")
		b.click("button", "Save")
		awaitValue(t, s, "/app/name", "one\ntwo of b\nthree")
		a.see("Somebody changed this key.")
		a.click("button", "Save")
		a.see("Somebody else was faster", "two of a", "two of b")
		a.checkAccessible("the difference")
		a.click("button", "Edit again")
		a.click("button", "Save")
		awaitValue(t, s, "/app/name", "one\ntwo of a\nthree")
		b.see("two of a")
	})
	a.step("keep mine", func(t *testing.T) {
		edit(a, "mine")
		put(t, s, "/app/name", "theirs")
		a.see("Somebody changed this key.")
		a.click("button", "Save")
		a.click("button", "Keep mine")
		awaitValue(t, s, "/app/name", "mine")
	})
	a.step("take theirs", func(t *testing.T) {
		edit(a, "lost")
		put(t, s, "/app/name", "theirs")
		a.see("Somebody changed this key.")
		a.click("button", "Save")
		a.click("button", "Take theirs")
		a.seeGone("lost")
		awaitValue(t, s, "/app/name", "theirs")
	})
	a.step("deleted meanwhile", func(t *testing.T) {
		edit(a, "kept")
		mustAs(t, s, "", "DELETE", "/v2/keys/app/name", "")
		a.see("Somebody deleted this key.")
		a.click("button", "Save")
		a.click("button", "Create it again")
		awaitValue(t, s, "/app/name", "kept")
	})
}

// TestEditOfLease edits a key whose TTL somebody renews, and one that expires meanwhile.
func TestEditOfLease(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	ttlOf := func() int {
		t.Helper()
		var answer struct{ Node struct{ TTL int } }
		if err := json.Unmarshal([]byte(mustAs(t, s, "", "GET", "/v2/keys/lease", "")), &answer); err != nil {
			t.Fatal(err)
		}
		return answer.Node.TTL
	}
	mustAs(t, s, "", "PUT", "/v2/keys/lease?value=one&ttl=900", "")
	p := openTab(t, page(s, "#/keys/lease"), desktop)
	edit := func(text string) {
		p.t.Helper()
		p.see("Expires in")
		p.click("button", "Edit")
		p.fill("Value", text)
	}
	p.step("renewed meanwhile", func(t *testing.T) {
		edit("mine")
		mustAs(t, s, "", "PUT", "/v2/keys/lease?value=one&ttl=5000", "")
		p.click("button", "Save")
		p.see("Somebody else was faster", "What you write expires after 1 h")
		p.click("button", "Keep mine")
		awaitValue(t, s, "/lease", "mine")
		if ttl := ttlOf(); ttl < 1000 {
			t.Errorf("the TTL is %d s", ttl)
		}
	})
	p.step("made permanent meanwhile", func(t *testing.T) {
		edit("for ever")
		put(t, s, "/lease", "permanent")
		p.click("button", "Save")
		p.click("button", "Keep mine")
		awaitValue(t, s, "/lease", "for ever")
		if ttl := ttlOf(); ttl != 0 {
			t.Errorf("the TTL is %d s", ttl)
		}
	})
	p.step("expired meanwhile", func(t *testing.T) {
		mustAs(t, s, "", "PUT", "/v2/keys/lease?value=one&ttl=900", "")
		p.see("14 min")
		edit("back")
		p.eval(`{ const real = performance.now.bind(performance); performance.now = () => real() + 3600_000; }`, nil)
		mustAs(t, s, "", "DELETE", "/v2/keys/lease", "")
		p.click("button", "Save")
		p.click("button", "Create it again")
		awaitValue(t, s, "/lease", "back")
		if ttl := ttlOf(); ttl < 100 {
			t.Errorf("the TTL is %d s", ttl)
		}
	})
}

// TestCommands runs what the page offers as commands in a shell.
func TestCommands(t *testing.T) {
	t.Parallel()
	servertest.RequireProgram(t, "curl", "curl")
	servertest.RequireProgram(t, "etcdctl", "etcd-client")
	s := startServer(t)
	put(t, s, "/it's $HOME/key", "value")
	p := openTab(t, page(s, "#/keys/it's%20$HOME/key"), desktop)
	p.step("shown and copied", func(t *testing.T) {
		p.click("button", "As a command")
		p.see("curl '"+s.Client, "etcdctl --no-sync --endpoints "+s.Client)
		p.click("button", "Copy as curl")
		p.see("The command was copied.")
	})
	texts := []string{
		"plain", "it's", "$(touch /tmp/no) `id` \"x\" \\n", "-leading", "@file", "two\nlines\n", "a=1&b=2%20", "ünï ✓", "<script>",
		"\x1b[201~\n; id", "\x00\xff bytes", "%s %d", "-\\x", "\r\n", " ", "~", "#c", "!!", strings.Repeat("x", 50_000),
	}
	for i, text := range texts {
		for _, program := range []string{"curl", "etcdctl"} {
			key := "/commands/" + program + "/" + servertest.Itoa(i) + " it's #?%&;" + string(rune('!'+i))
			p.runCommand(t, program, "create", key, text)
			if got := value(t, s, key); got != text {
				t.Errorf("%s: the value is %.50q, want %.50q", program, got, text)
			}
			if i%4 > 0 {
				continue
			}
			p.runCommand(t, program, "remove", key, "")
			if got := value(t, s, key); got != "404" {
				t.Errorf("%s: %q is still there: %.50q", program, key, got)
			}
		}
	}
}

// runCommand runs the command of a program for an action in a shell.
func (p *tab) runCommand(t *testing.T, program, kind, key, text string) {
	t.Helper()
	bytes := []int{}
	for _, b := range []byte(text) {
		bytes = append(bytes, int(b))
	}
	action := `{kind: ` + quote(kind) + `, path: ` + quote(key) + `, bytes: ` + quote(kind) + ` === "remove" ? undefined : Uint8Array.from(` +
		quoteList(bytes) + `)}`
	var command string
	p.eval(`Promise.all([import("./command.js"), import("./api.js")]).then(([c, a]) => c.`+program+`Command(new a.Api(), `+action+`))`,
		&command)
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = t.TempDir()
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%.300s: %v\n%s", command, err, output)
	}
}
