// The shell of the page: header, views by the fragment of the URL, login, messages.
import { Api } from "./api.js";
import { html, render, useCallback, useEffect, useMemo, useRef, useState } from "./html.js";
import { confirmSession } from "./identity.js";
import { Keys } from "./keys.js";
import { Login, SessionMenu } from "./login.js";
import { Messages } from "./messages.js";
import { Overview } from "./overview.js";
import { hashOf, parseHash } from "./paths.js";
import { Users } from "./users.js";

// The views, by the first part of the fragment. Each component gets {api, navigate, path, readonly}.
const views = [
  { name: "keys", title: "Keys", component: Keys },
  { name: "cluster", title: "Cluster", component: Overview },
  { name: "users", title: "Users", component: Users },
];

const readonly = document.documentElement.dataset.mode === "readonly";

// useRoute returns the view and the path that the URL names, and renders again when they change. If the element that has the focus is
// removed then, main gets the focus: otherwise the keyboard would begin at the top of the page.
function useRoute(main) {
  const [route, setRoute] = useState(() => parseHash(location.hash));
  const used = useRef(false); // the page had the focus
  useEffect(() => {
    const update = () => setRoute(parseHash(location.hash));
    const use = () => (used.current = true);
    addEventListener("hashchange", update);
    addEventListener("focusin", use);
    return () => {
      removeEventListener("hashchange", update);
      removeEventListener("focusin", use);
    };
  }, []);
  useEffect(() => {
    if (used.current && document.activeElement === document.body) main.current.focus({ preventScroll: true });
  }, [route]);
  return route;
}

/** navigate shows a view of a path. With replace the browser's history gets no entry. */
function navigate(view, path = "/", { replace = false } = {}) {
  const hash = hashOf(view, path);
  if (!replace) {
    location.hash = hash;
    return;
  }
  history.replaceState(null, "", hash);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

function ThemeSwitch() {
  const [theme, setTheme] = useState(document.documentElement.dataset.theme ?? "system");
  const choose = (event) => {
    const chosen = event.currentTarget.value;
    setTheme(chosen);
    if (chosen === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = chosen;
    try {
      localStorage.setItem("pando-theme", chosen);
    } catch {
      // the choice holds until the page is closed
    }
  };
  return html`<select class="theme" aria-label="Colours" value=${theme} onChange=${choose}>
    <option value="system">System colours</option>
    <option value="light">Light</option>
    <option value="dark">Dark</option>
  </select>`;
}

function Header({ api, view, onLogin }) {
  return html`<header class="top">
    <a class="brand" href=${hashOf("keys")}>Pando</a>
    <nav aria-label="Views">
      ${views.map((v) => html`<a href=${hashOf(v.name)} aria-current=${v.name === view ? "page" : undefined}>${v.title}</a>`)}
    </nav>
    ${readonly && html`<span class="badge">read-only page</span>`}
    <span class="spring"></span>
    <${SessionMenu} api=${api} readonly=${readonly} onLogin=${onLogin} />
    <${ThemeSwitch} />
  </header>`;
}

// useSession returns the Api, the name of the user, and whether the login is open.
function useSession() {
  const api = useMemo(() => new Api(), []);
  const [user, setUser] = useState("");
  const [loginOpen, setLoginOpen] = useState(false);
  useEffect(() => {
    api.onSession = setUser;
    api.onUnauthorized = () => confirmSession(api, () => setLoginOpen(true));
  }, [api]);
  return { api, user, loginOpen, setLoginOpen };
}

function App() {
  const main = useRef(null);
  const { view, path } = useRoute(main);
  const { api, user, loginOpen, setLoginOpen } = useSession();
  const chosen = views.find((v) => v.name === view) ?? views[0];
  const openLogin = useCallback(() => setLoginOpen(true), []);
  const closeLogin = useCallback(() => setLoginOpen(false), []);
  useEffect(() => {
    document.title = chosen.name === "keys" && path !== "/" ? `${path} · Pando` : `${chosen.title} · Pando`;
  }, [chosen, path]);
  // Another user may read other things, so a view starts anew after a login.
  return html`
    <button type="button" class="skip" onClick=${() => main.current.focus()}>Skip to the content</button>
    <${Header} api=${api} view=${chosen.name} onLogin=${openLogin} />
    <main ref=${main} tabindex="-1">
      <${chosen.component} key=${chosen.name + " " + user} api=${api} navigate=${navigate} path=${path} readonly=${readonly} />
    </main>
    <${Messages} />
    ${loginOpen && html`<${Login} api=${api} close=${closeLogin} />`}
  `;
}

render(html`<${App} />`, document.getElementById("app"));
