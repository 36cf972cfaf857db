package browser

import (
	"fmt"
	"testing"
)

// TestModules calls functions of the page with what real servers rarely send.
func TestModules(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := openTab(t, page(s, "#/cluster"), desktop)
	for _, test := range []struct{ name, module, body, want string }{
		{"events that come while a list is read", "tree_model.js", `
			let answer;
			const model = new m.TreeModel({ list: () => new Promise((resolve) => { answer = resolve; }) }, "/", () => {});
			const ready = model.expand("/");
			const send = (action, key, index) => model.apply({ action, node: { key, modifiedIndex: index, createdIndex: index } });
			send("set", "/in the list", 4);
			send("set", "/new", 6);
			send("delete", "/gone", 7);
			const nodes = ["/gone", "/kept"].map((key) => ({ key, modifiedIndex: 3, createdIndex: 3 }));
			answer({ nodes, next: "", index: 5 });
			await ready;
			return model.rows().map((r) => r.key).join()`, "/,/kept,/new"},
		{"a page whose keys are all deleted", "tree_model.js", `
			const node = (key) => ({ key, modifiedIndex: 3, createdIndex: 3 });
			const model = new m.TreeModel({ list: async () => ({ nodes: [node("/b"), node("/c")], next: "/c", index: 5 }) }, "/", () => {});
			await model.expand("/");
			for (const [i, key] of ["/b", "/c"].entries()) model.apply({ action: "delete", node: { key, modifiedIndex: 6 + i } });
			model.apply({ action: "set", node: node("/a") });
			model.apply({ action: "set", node: node("/d") });
			return model.rows().map((r) => r.kind + r.key).join()`, "node/,node/a,more/"},
		{"a directory to which others add all the time", "tree_model.js", `
			const model = new m.TreeModel({ list: async () => ({ nodes: [], next: "", index: 5 }) }, "/", () => {});
			await model.expand("/");
			const key = (i) => "/" + String(i).padStart(9, "0");
			for (let i = 0; i < 20000; i++) model.apply({ action: "create", node: { key: key(i), modifiedIndex: 6 + i, createdIndex: 6 + i } });
			const rows = model.rows();
			return [rows.length, rows.at(-1).kind].join()`, "5002,more"},
		{"a subtree that is renamed to the directory above", "plan.js", `
			const file = (key) => ({ key, value: "v", modifiedIndex: 3 });
			const dir = (key) => ({ key, dir: true });
			const nodes = [dir("/a/b"), dir("/a/b/b"), file("/a/b/b/x"), file("/a/b/x")];
			const existing = new Map([dir("/a"), ...nodes].map((n) => [n.key, n]));
			const plan = m.planCopy({ from: "/a/b", to: "/a", nodes, existing, remove: true });
			return [plan.counts.conflict, plan.items.find((i) => i.key === "/a/b/x").state].join()`, "2,conflict"},
		{"an import with dots", "entries.js", `
			try { m.parseEntries('{"key":"/app/../secret","value":"1"}', "f", "/app"); } catch (error) { return error.message; }`,
			"Line 1 of f (/app/../secret) has a path with . or .. in it."},
		{"a path with dots", "api.js", `
			try { await new m.Api().get("/../auth/self"); } catch (error) { return error.message; }`,
			"a part of a path can't be . or .., as in /../auth/self"},
		{"JSON of a hundred thousand levels", "highlight.js", `
			return m.formatJson("[".repeat(1e5) + "1" + "]".repeat(1e5)).length < 2e7`, "true"},
		{"a name with ends of lines", "paths.js", `return m.shownName("a\n\u0085\u001bb\t")`, "a␊\ufffd␛b\t"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got string
			p.eval(fmt.Sprintf(`import("./%s").then(async (m) => {%s}).then(String)`, test.module, test.body), &got)
			if got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
