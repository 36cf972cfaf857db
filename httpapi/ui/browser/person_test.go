package browser

import (
	"context"
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// click clicks the element with a role and a name: click("button", "Save"). It waits until the element no longer moves, as it does while
// rows above it are loaded. A click that misses the element, because it has moved in the last moment, is made again.
func (p *tab) click(role, name string) {
	p.t.Helper()
	for range 5 {
		at := p.locate(role, name)
		for range 20 {
			before := at
			if at = p.locate(role, name); at == before {
				break
			}
		}
		p.run(chromedp.MouseClickXY(at.X, at.Y))
		var missed bool
		if p.eval(missedScript, &missed); !missed {
			return
		}
		p.t.Logf("the click on the %s %q has missed it", role, name)
	}
	p.t.Fatalf("the %s %q can't be clicked: it moves", role, name)
}

// fill replaces the text of the field with a label, as with Ctrl+A and typing.
func (p *tab) fill(label, text string) {
	p.t.Helper()
	p.click("textbox", label)
	p.run(chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)), chromedp.KeyEvent(kb.Delete))
	p.typeText(text)
}

// typeText types into the element that has the focus.
func (p *tab) typeText(text string) {
	p.t.Helper()
	p.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: text})
		return err
	}))
}

// paste pastes a text into the element that has the focus.
func (p *tab) paste(text string) {
	p.t.Helper()
	p.eval(`(() => {
	  const data = new DataTransfer();
	  data.setData("text/plain", `+quote(text)+`);
	  document.activeElement.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
	})(); 0`, nil)
}

// press presses keys one after the other, such as kb.ArrowDown.
func (p *tab) press(keys ...string) {
	p.t.Helper()
	for _, key := range keys {
		p.run(chromedp.KeyEvent(key))
	}
}

// choose selects an option of the list with a label.
func (p *tab) choose(label, option string) {
	p.t.Helper()
	p.locate("combobox", label)
	expression := fmt.Sprintf(`((label, text) => {
	  const root = [...document.querySelectorAll("dialog:modal")].at(-1) ?? document;
	  const list = [...root.querySelectorAll("select")].find((s) => (s.ariaLabel ?? s.labels[0]?.textContent.trim()) === label);
	  const option = [...list.options].find((o) => o.textContent.trim() === text);
	  if (!option) return [...list.options].map((o) => o.textContent).join();
	  list.value = option.value;
	  list.dispatchEvent(new Event("input", { bubbles: true }));
	  list.dispatchEvent(new Event("change", { bubbles: true }));
	  return "";
	})(%s, %s)`, quote(label), quote(option))
	var others string
	if p.eval(expression, &others); others != "" {
		p.t.Fatalf("the list %q has no %q: %s", label, option, others)
	}
}

// see waits until the page shows all texts. White space of any length is one space.
func (p *tab) see(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		p.await(fmt.Sprintf("the page to show %q", text), func() bool { return p.shows(text) })
	}
}

// seeGone waits until the page does not show a text any more.
func (p *tab) seeGone(text string) {
	p.t.Helper()
	p.await(fmt.Sprintf("the page to show %q no more", text), func() bool { return !p.shows(text) })
}

// shows reports whether the page shows a text now: in its elements, or in a field.
func (p *tab) shows(text string) bool {
	p.t.Helper()
	var all string
	p.eval(`(document.body?.innerText ?? "") + "\n" + [...document.querySelectorAll("input,textarea")].map((e) => e.value).join("\n")`, &all)
	return strings.Contains(strings.Join(strings.Fields(all), " "), strings.Join(strings.Fields(text), " "))
}

// awaitTrue waits until an expression is true in the page.
func (p *tab) awaitTrue(description, expression string) {
	p.t.Helper()
	p.await(description, func() (ok bool) {
		p.eval("!!("+expression+")", &ok)
		return ok
	})
}
