package browser

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// TestWindows uses the page on a phone, at a zoom of 200%, in dark colours and by keyboard.
func TestWindows(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	put(t, s, "/app/config.yaml", "# comment\nname: pando\nports: [80, 443]\nquoted: \"yes\"\nempty: null\n")
	put(t, s, "/app/a very long name of a key that does not fit into a window of a phone/and below it another one", "x")
	for name, window := range map[string]size{"phone": phone, "zoom of 200%": zoomed} {
		t.Run(name, func(t *testing.T) {
			p := openTab(t, page(s, "#/keys/app/config.yaml"), window)
			p.see("Automatic (YAML)")
			p.locate("treeitem", "config.yaml")
			p.checkWidth("the keys")
			p.click("button", "Edit")
			p.checkWidth("the editor")
			p.click("button", "Cancel")
			p.choose("Colours", "Dark")
			p.checkAccessible("dark, " + name)
			p.click("button", "As a command")
			p.checkWidth("the commands")
			for _, view := range []string{"Cluster", "Users"} {
				p.click("link", view)
				p.checkWidth(view)
			}
		})
	}
	t.Run("keyboard", func(t *testing.T) {
		p := openTab(t, page(s, "#/keys/app"), desktop)
		p.see("Live")
		p.locate("treeitem", "config.yaml")
		p.press(kb.Tab)
		p.awaitTrue("the skip button has the focus", `document.activeElement.className === "skip"`)
		p.press(kb.Enter)
		p.awaitTrue("the content has the focus", `document.activeElement.tagName === "MAIN"`)
		p.press(kb.Tab, kb.Tab, kb.Tab)
		p.awaitTrue("the tree has the focus", `document.activeElement.role === "tree"`)
		p.press(kb.End, kb.Enter)
		p.see("Automatic (YAML)")
		p.press(kb.Tab, kb.Tab, kb.Tab, kb.Tab, kb.Enter)
		p.see("Edit /app/config.yaml")
		p.press(kb.Escape)
		p.seeGone("Edit /app/config.yaml")
		p.awaitTrue("the focus is back", `document.activeElement.textContent === "Edit"`)
	})
}

// checkWidth fails the test if the page is wider than the window.
func (p *tab) checkWidth(state string) {
	p.t.Helper()
	var widest string
	p.eval(`(() => {
	  const wide = document.scrollingElement.scrollWidth;
	  if (wide <= innerWidth && document.body.scrollWidth <= innerWidth) return "";
	  const isWide = (e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".virtual");
	  const e = [...document.body.querySelectorAll("*")].findLast(isWide);
	  return wide + " of " + innerWidth + ": " + e?.outerHTML.slice(0, 200);
	})()`, &widest)
	if widest != "" {
		p.t.Errorf("%s is too wide: %s", state, widest)
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	t.Run("readonly", func(t *testing.T) {
		s := startServer(t, "--ui", "readonly")
		put(t, s, "/app/name", "pando")
		p := openTab(t, page(s, "#/keys/app/name"), desktop)
		p.see("read-only page", "pando", "Copy value")
		p.checkReadOnly("Edit", "Set TTL", "Delete", "Rename or copy", "Import")
		p.click("link", "app")
		p.see("Directory", "Export")
		p.checkReadOnly("Create", "Set TTL", "Delete", "Rename or copy", "Import")
		p.fill("Go to a path", "/none")
		p.press(kb.Enter)
		p.see("There is no key /none.")
		p.checkReadOnly("Create it")
		p.click("link", "Users")
		p.see("Auth is disabled")
		p.checkReadOnly("New role…", "New user…", "Enable auth")
	})
	t.Run("off", func(t *testing.T) {
		s := startServer(t, "--ui", "off")
		for _, path := range []string{"/ui", "/ui/", "/ui/app.js"} {
			response, err := http.Get(s.Client + path)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != http.StatusNotFound {
				t.Errorf("%s: %s", path, response.Status)
			}
		}
	})
}

// checkReadOnly fails the test if the page has one of the buttons.
func (p *tab) checkReadOnly(buttons ...string) {
	p.t.Helper()
	for _, name := range buttons {
		var found bool
		p.eval(`[...document.querySelectorAll("button")].some((b) => b.textContent.trim() === `+quote(name)+`)`, &found)
		if found {
			p.t.Errorf("a page for reading has the button %q", name)
		}
	}
}
