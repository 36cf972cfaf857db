package browser

import (
	"testing"

	"github.com/chromedp/chromedp/kb"
)

func TestTree(t *testing.T) {
	s := startServer(t)
	put(t, s, "/app/config/port", "8080")
	put(t, s, "/app/name", "pando")
	put(t, s, "/_secret/key", "hidden")
	p := openTab(t, page(s, ""), desktop)
	p.step("open by clicking", func(t *testing.T) {
		p.click("treeitem", "app")
		p.click("treeitem", "name")
		p.see("pando", "5 bytes", "Modified index")
	})
	p.step("hidden keys", func(t *testing.T) {
		if p.shows("_secret") {
			t.Error("hidden keys are shown")
		}
		p.click("checkbox", "Show hidden keys")
		p.see("_secret")
		p.click("checkbox", "Show hidden keys")
		p.seeGone("_secret")
	})
	p.step("by keyboard", func(t *testing.T) {
		p.click("treeitem", "/")
		p.press(kb.ArrowDown, kb.ArrowDown, kb.ArrowRight)
		p.locate("treeitem", "port")
		p.press(kb.ArrowDown, kb.Enter)
		p.see("8080")
	})
	p.step("type-ahead search", func(t *testing.T) {
		p.fill("Go to a path", "/app/con")
		p.see("/app/config/")
		p.press(kb.ArrowDown, kb.Enter)
		p.awaitTrue("the chosen node", `location.hash === "#/keys/app/config"`)
	})
	p.step("live changes", func(t *testing.T) {
		p.see("Live")
		put(t, s, "/app/config/live/one", "1")
		p.see("live")
		p.click("treeitem", "port")
		put(t, s, "/app/config/port", "9090")
		p.see("9090")
	})
	p.checkAccessible("the keys")
}

func TestEdit(t *testing.T) {
	s := startServer(t)
	put(t, s, "/app/name", "one\ntwo\nthree")
	a := openTab(t, page(s, "#/keys/app/name"), desktop)
	b := openTab(t, page(s, "#/keys/app/name"), desktop)
	a.click("button", "Edit")
	a.fill("Value", "one\ntwo of a\nthree")
	b.click("button", "Edit")
	b.fill("Value", "one\ntwo of b\nthree")
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
}
