package browser

import (
	"encoding/json"
	"fmt"
	"time"

	"pando/members/servertest"
)

// locateScript is a function of the page. It finds the first visible element with a role and a name, as a screen reader announces them, and
// returns {x, y}, a point at which a click reaches it, or {problem}. While a dialog is open, it looks only there.
const locateScript = `((role, name) => {
  const selectors = {
    button: "button, summary, [role=button]", link: "a[href]", textbox: "input:not([type=checkbox]):not([type=radio]), textarea",
    checkbox: "input[type=checkbox], [role=switch]", radio: "input[type=radio]", combobox: "select, [role=combobox]", tab: "[role=tab]",
    treeitem: "[role=treeitem]", option: "[role=option]", row: "tr, [role=row]", text: "*",
  };
  const textOf = (ids) => ids.split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" ");
  const nameOf = (e) => {
    if (e.ariaLabel) return e.ariaLabel;
    const by = e.getAttribute("aria-labelledby");
    if (by) return textOf(by);
    if (e.labels?.length) return [...e.labels].map((l) => l.textContent).join(" ");
    const copy = e.cloneNode(true);
    copy.querySelectorAll("[aria-hidden=true]").forEach((hidden) => hidden.remove());
    return copy.textContent || e.title || e.getAttribute("placeholder") || "";
  };
  const tidy = (text) => text.replace(/\s+/g, " ").trim();
  const dialogs = [...document.querySelectorAll("dialog:modal")];
  const root = dialogs.at(-1) ?? document;
  const found = [...root.querySelectorAll(selectors[role] ?? role)].filter((e) => tidy(nameOf(e)) === tidy(name) && e.checkVisibility());
  const element = role === "text" ? found.at(-1) : found[0];
  if (!element) return { problem: "there is none" };
  if (element.disabled || element.ariaDisabled === "true") return { problem: "it is disabled" };
  element.scrollIntoView({ block: "nearest", inline: "nearest" });
  const box = element.getBoundingClientRect();
  const x = Math.min(Math.max(box.x + box.width / 2, 1), innerWidth - 1);
  const y = Math.min(Math.max(box.y + box.height / 2, 1), innerHeight - 1);
  const hit = document.elementFromPoint(x, y);
  if (!hit || !(element.contains(hit) || hit.contains(element) || [...(element.labels ?? [])].some((l) => l.contains(hit)))) {
    return { problem: "it is covered by " + (hit?.outerHTML.slice(0, 100) ?? "nothing") };
  }
  if (!window.aim) {
    document.addEventListener("click", (e) => { aim.clicked ||= aim.element.contains(e.target); }, true);
  }
  window.aim = { element, clicked: !element.contains(hit) };
  return { x, y };
})`

// missedScript reports whether the click after locateScript did not reach the element, because it moved meanwhile. If another page was
// loaded, or the element is gone, which may happen when the mouse button is pressed, the click has reached it.
const missedScript = `window.aim !== undefined && !aim.clicked && aim.element.checkVisibility()`

// point is a place in the window.
type point struct{ X, Y float64 }

// locate waits until the element with a role and a name can be clicked, and returns where.
func (p *tab) locate(role, name string) point {
	p.t.Helper()
	expression := fmt.Sprintf("%s(%s, %s)", locateScript, quote(role), quote(name))
	var found struct {
		point
		Problem string
	}
	defer func() {
		if found.Problem != "" {
			p.t.Logf("the %s %q: %s", role, name, found.Problem)
		}
	}()
	p.await(fmt.Sprintf("the %s %q", role, name), func() bool {
		found.Problem = ""
		p.eval(expression, &found)
		return found.Problem == ""
	})
	return found.point
}

// await polls until done returns true. It polls seldom, because each look at the page takes time from all tabs.
func (p *tab) await(event string, done func() bool) {
	p.t.Helper()
	servertest.AwaitEvery(p.t, 30*time.Millisecond, event, done)
}

// quote returns a text as a literal of JavaScript.
func quote(text string) string {
	literal, _ := json.Marshal(text) // a string can always be encoded
	return string(literal)
}
