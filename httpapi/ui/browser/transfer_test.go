package browser

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"

	"pando/members/servertest"
)

// fillApp makes a subtree with a TTL, an empty directory and a hidden key.
func fillApp(t *testing.T, s *servertest.Process) {
	t.Helper()
	put(t, s, "/app/name", "pando")
	put(t, s, "/app/config/port", "80")
	put(t, s, "/app/_hidden/key", "unseen")
	mustAs(t, s, "", http.MethodPut, "/v2/keys/app/lease?ttl=1999&value=short", "")
	mustAs(t, s, "", http.MethodPut, "/v2/keys/app/empty?dir=true", "")
}

// TestRename renames and copies a small subtree.
func TestRename(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	fillApp(t, s)
	p := openTab(t, page(s, "#/keys/app"), desktop)
	p.step("without the hidden keys", func(t *testing.T) {
		p.openPreview("Rename or copy", "/moved/app")
		p.see("/app has 2 hidden keys and directories: take them along, or copy.")
		p.click("radio", "Copy")
		p.click("button", "Preview")
		p.see("6 new keys and directories.", "One transaction of 4 operations: all of it happens, or nothing.", "/moved/app/lease new 1")
		p.checkAccessible("the preview")
		p.click("radio", "Rename")
	})
	p.step("with the hidden keys", func(t *testing.T) {
		p.click("checkbox", "With hidden keys, whose names begin with _")
		p.click("button", "Preview")
		p.see("8 new keys and directories, 8 removed at the old path.", "One transaction of 13 operations")
		p.click("button", "Rename")
		p.see("/app is renamed to /moved/app, in one transaction.")
		p.awaitTrue("the page shows the new path", `location.hash === "#/keys/moved/app"`)
		if value(t, s, "/app/name") != "404" || value(t, s, "/moved/app/_hidden/key") != "unseen" {
			t.Error("the subtree was not moved")
		}
		if got := mustAs(t, s, "", http.MethodGet, "/v2/keys/moved/app/lease", ""); !strings.Contains(got, `"ttl":`) {
			t.Errorf("the TTL is lost: %s", got)
		}
	})
	p.step("a copy with something in the way", func(t *testing.T) { copyOver(t, p, s) })
	p.step("a change after the preview", func(t *testing.T) {
		p.visit(page(s, "#/keys/moved"))
		p.openHiddenPreview("/final")
		p.see("removed at the old path")
		put(t, s, "/moved/app/name", "changed")
		p.click("button", "Rename")
		p.see("a key was changed since the preview", "Nothing was written.")
		p.press("\x1b")
	})
	p.step("a new path that is not possible", func(t *testing.T) {
		p.click("button", "Rename or copy")
		p.fill("New path", "/moved/app/deeper")
		p.see("A directory can't be moved into itself.")
		p.press("\x1b")
	})
	p.step("a server without transactions", func(t *testing.T) {
		p.eval(`{ const real = fetch; globalThis.fetch = (url, options) => String(url).endsWith("/v2/txn")
		  ? Promise.resolve(new Response('{"message":"not now"}', { status: 503 })) : real(url, options); }`, nil)
		p.openHiddenPreview("/stepwise")
		p.click("button", "Rename")
		p.see("Nothing was written. The server takes no transaction for this now: not now")
		p.click("button", "Rename step by step")
		p.see("/moved is renamed to /stepwise.")
		if value(t, s, "/stepwise/app/_hidden/key") != "unseen" {
			t.Error("the subtree was not moved")
		}
	})
}

// copyOver copies to a path where a key has another value.
func copyOver(t *testing.T, p *tab, s *servertest.Process) {
	put(t, s, "/app/name", "another")
	p.click("button", "Rename or copy")
	p.click("radio", "Copy")
	p.fill("New path", "app")
	p.click("button", "Preview")
	p.see("1 in the way", "/app/name in the way: it has another value there", "Nothing is written while something is in the way.")
	p.click("checkbox", "Overwrite values at the new path")
	p.click("button", "Preview")
	p.see("1 overwritten value")
	p.click("button", "Copy")
	p.see("/moved/app is copied to /app, in one transaction.")
	p.click("button", "Show app")
	p.awaitTrue("the page shows the copy", `location.hash === "#/keys/app"`)
	if value(t, s, "/app/name") != "pando" || value(t, s, "/moved/app/name") != "pando" {
		t.Error("the subtree was not copied")
	}
}

// openHiddenPreview is openPreview for a rename with the hidden keys.
func (p *tab) openHiddenPreview(to string) {
	p.t.Helper()
	p.click("button", "Rename or copy")
	p.click("checkbox", "With hidden keys, whose names begin with _")
	p.fill("New path", to)
	p.click("button", "Preview")
}

// openPreview opens the dialog of a node that renames or copies, and asks for the preview with a new path.
func (p *tab) openPreview(button, to string) {
	p.t.Helper()
	p.click("button", button)
	p.fill("New path", to)
	p.click("button", "Preview")
}

// TestRenameInParts renames 300 keys, which do not fit into one transaction. One has bytes that are no text.
func TestRenameInParts(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	const binary = "\xff\x00binary"
	put(t, s, "/many/binary", binary)
	for i := range 300 {
		put(t, s, fmt.Sprintf("/many/%03d", i), fmt.Sprint(i))
	}
	p := openTab(t, page(s, "#/keys/many"), desktop)
	p.step("stop and remove what was written", func(t *testing.T) {
		p.openPreview("Rename or copy", "/half")
		p.see("302 new keys and directories, 302 removed at the old path.", "603 operations, which do not fit into one transaction",
			"This is not atomic")
		put(t, s, "/half/200", "in the way") // after the preview
		p.click("button", "Rename")
		p.see("/half/200: Key already exists", "operations are done.")
		p.click("button", "Remove what was written")
		p.see("1 key could not be removed")
		if got := mustAs(t, s, "", http.MethodGet, "/v2/keys/?recursive=true&count=true", ""); !strings.Contains(got, `"count":304`) {
			t.Errorf("after the removal: %s", got)
		}
		p.press("\x1b")
	})
	p.step("rename", func(t *testing.T) {
		p.openPreview("Rename or copy", "/all")
		p.see("603 operations")
		p.click("button", "Rename")
		p.see("/many is renamed to /all.")
		if value(t, s, "/all/binary") != binary || value(t, s, "/all/299") != "299" || value(t, s, "/many/0") != "404" {
			t.Error("the subtree was not moved")
		}
	})
}

// TestExportAndImport saves a subtree as a file, and imports files.
func TestExportAndImport(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	fillApp(t, s)
	dir := t.TempDir()
	p := openTab(t, page(s, "#/keys/app"), desktop)
	p.saveDownloads(dir)
	file := filepath.Join(dir, "app.jsonl")
	p.step("export", func(t *testing.T) {
		p.click("button", "Export")
		p.click("button", "Save the file")
		p.see("6 keys and directories saved, as of index")
		p.checkAccessible("the export")
		servertest.Await(t, "the file", func() bool { _, err := os.Stat(file); return err == nil })
		p.press("\x1b")
	})
	p.step("ctl import reads it", func(t *testing.T) {
		other := startServer(t)
		command := servertest.StartCommand(t, exec.Command(os.Args[0], "ctl", "--no-sync", "--endpoints", other.Client, "import", file))
		if code := command.AwaitExit(); code != 0 || value(t, other, "/app/config/port") != "80" {
			t.Errorf("exit code %d: %s%s", code, command.Stdout, command.Stderr)
		}
	})
	p.step("import", func(t *testing.T) {
		put(t, s, "/app/name", "newer")
		mustAs(t, s, "", http.MethodDelete, "/v2/keys/app/config?recursive=true", "")
		p.click("button", "Import")
		p.upload(file)
		p.click("button", "Preview")
		p.see("2 new keys and directories", "1 in the way", "/app/name in the way: it has another value there")
		p.click("checkbox", "Overwrite keys that have another value")
		p.click("button", "Preview")
		p.see("2 overwritten values")
		p.checkAccessible("the import")
		p.click("button", "Import")
		p.see("Done, in one transaction.")
		if value(t, s, "/app/name") != "pando" || value(t, s, "/app/config/port") != "80" {
			t.Error("the file was not imported")
		}
		p.press("\x1b")
	})
	p.step("broken files", func(t *testing.T) { importBroken(t, p, s, dir) })
}

func importBroken(t *testing.T, p *tab, s *servertest.Process, dir string) {
	p.click("button", "Import")
	for name, test := range map[string]struct{ content, problem string }{
		"empty":   {"\n", "Nothing to import: empty is empty."},
		"text":    {`{"key":"/app/new","value":"1"}` + "\nhello\n", "Line 2 of text is no JSON"},
		"no key":  {`{"value":"1"}`, `Line 1 of no key has no "key". Is it an export?`},
		"both":    {`{"key":"/app/new","dir":true,"value":"1"}`, `Line 1 of both (/app/new) needs either a "value" or "dir":true.`},
		"ttl":     {`{"key":"/app/new","value":"1","ttl":-1}`, `has a "ttl" that is not a number of seconds.`},
		"twice":   {`{"key":"/app/a","value":"1"}` + "\n" + `{"key":"/app/a","value":"2"}`, "Line 2 of twice has /app/a again"},
		"outside": {`{"key":"/other","value":"1"}`, "Nothing to import: outside has nothing at or below /app."},
		"html":    {`{"key":"/app/<img src=x onerror=alert(1)>","value":1}`, `(/app/<img src=x onerror=alert(1)>) needs either a "value"`},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		p.upload(path)
		p.click("button", "Preview")
		p.see("There is no preview, and nothing was written. ", test.problem)
	}
	if got := value(t, s, "/app/new"); got != "404" {
		t.Errorf("a key was imported: %s", got)
	}
}

// upload chooses a file in the open dialog.
func (p *tab) upload(path string) {
	p.t.Helper()
	p.locate("textbox", "File")
	p.run(chromedp.SetUploadFiles("dialog input[type=file]", []string{path}))
}

// saveDownloads makes the browser save files in a directory.
func (p *tab) saveDownloads(dir string) {
	p.t.Helper()
	p.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
			Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir, BrowserContextID: chromedp.FromContext(p.ctx).BrowserContextID,
		})
		return err
	}))
}
