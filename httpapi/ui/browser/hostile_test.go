package browser

import (
	"encoding/json"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// quoteList returns a list as a literal of JavaScript.
func quoteList(list any) string {
	literal, _ := json.Marshal(list) // the lists of the tests can be encoded
	return string(literal)
}

// hostileNames are names of keys that mean something in HTML, URLs, shells or Unicode.
var hostileNames = []string{
	`<img src=x onerror="globalThis.hacked=1">`, `"><script>globalThis.hacked=1`, `a b`, `100%`, `%41`, `?q=1`, `#hash`, `a&b=c+d`, `it's`,
	`${globalThis.hacked=1}`, `ünï✓`, "\U0001F333tree", "\u202Eevil", `back\slash`, `semi;colon`, `*`, `[x]`, `constructor`, "tab\there",
}

// TestHostileKeys opens each key by clicking, and checks that its own value is shown, and nothing else happens.
func TestHostileKeys(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	for i, name := range hostileNames {
		put(t, s, "/hostile/"+name, "value "+string(rune('A'+i))+" <b onclick=globalThis.hacked=1>&amp;</b>")
	}
	p := openTab(t, page(s, "#/keys/hostile"), size{1280, 1000, 1})
	p.step("by clicking", func(t *testing.T) {
		for i, name := range hostileNames {
			p.click("treeitem", name)
			p.see("value " + string(rune('A'+i)) + " <b onclick=globalThis.hacked=1>&amp;</b>")
		}
	})
	p.step("by URL", func(t *testing.T) {
		for i, name := range hostileNames {
			p.visitFragment("#/keys/hostile/" + url.PathEscape(name))
			p.see("value " + string(rune('A'+i)) + " ")
		}
	})
	p.step("by search", func(t *testing.T) {
		p.fill("Go to a path", `/hostile/"><scr`)
		p.click("option", `/hostile/"><script>globalThis.hacked=1`)
		p.see("value B")
	})
	p.step("create and delete", func(t *testing.T) {
		p.visit(page(s, "#/keys/hostile"))
		p.click("button", "Create")
		p.fill("Name", `<i>%2F"'`)
		p.fill("Value", "new")
		p.click("button", "Create")
		awaitValue(t, s, `/hostile/<i>%2F"'`, "new")
		p.see(`/hostile/<i>%2F"' was created.`)
		p.click("button", "Delete")
		p.see("This deletes the key")
		p.press(kb.Escape)
		p.seeGone("This deletes the key")
		p.deleteKey()
	})
	p.step("unclean paths", func(t *testing.T) {
		p.fill("Go to a path", "//hostile//a b/")
		p.press(kb.Enter)
		p.see("value C")
	})
	p.awaitTrue("no script of a key or a value has run", `globalThis.hacked === undefined`)
}

// TestBinaryValues shows and changes values that are no text.
func TestBinaryValues(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	put(t, s, "/bytes", "\x00\x01\xfe\xff")
	put(t, s, "/windows", "one\r\ntwo\r\n")
	put(t, s, "/bom", "\ufeffwith a mark")
	p := openTab(t, page(s, "#/keys/bytes"), desktop)
	p.step("hex", func(t *testing.T) {
		p.see("00 01 fe ff", "4 bytes")
		p.click("button", "Edit")
		p.fill("Value in hex", "ff 0")
		p.see("Not pairs of hex digits")
		p.fill("Value in hex", "ff 00 80")
		p.click("button", "Save")
		awaitValue(t, s, "/bytes", "\xff\x00\x80")
	})
	p.step("line ends stay", func(t *testing.T) {
		p.click("treeitem", "windows")
		p.see("two")
		p.click("button", "Edit")
		p.fill("Value", "one\nthree\n")
		p.click("button", "Save")
		awaitValue(t, s, "/windows", "one\r\nthree\r\n")
	})
	p.step("a byte order mark stays", func(t *testing.T) {
		p.click("treeitem", "bom")
		p.see("with a mark")
		p.click("button", "Edit")
		p.press(kb.End)
		p.click("button", "Save")
		p.see("/bom was saved.")
		awaitValue(t, s, "/bom", "\ufeffwith a mark")
	})
}
