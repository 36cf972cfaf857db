// Who the person is for the server: the answer of /v2/auth/self, which all parts of the page share.
import { useEffect, useState } from "./html.js";

const listeners = new Set();
let latest = { login: "", answer: null }; // the answer for a login, which is the name of a user, or "" without one
let checking = null; // the promise of a check that runs

function publish(login, answer) {
  latest = { login, answer };
  for (const listener of listeners) listener(latest);
}

/** loadIdentity asks the server who the person is, and shows the answer to all parts of the page. It returns it, or null without one. */
export async function loadIdentity(api) {
  const login = api.user;
  try {
    const answer = await api.json("GET", "/v2/auth/self");
    if (api.user === login) publish(login, answer);
    return answer;
  } catch {
    return null; // the next request of the page shows the reason
  }
}

/**
 * useIdentity returns what the server says about the person: {enabled, user, proof, roles}, or null before its first answer. enabled is
 * false while everybody may do everything. user is missing for a guest.
 */
export function useIdentity(api) {
  const [known, setKnown] = useState(latest);
  useEffect(() => {
    listeners.add(setKnown);
    loadIdentity(api);
    return () => listeners.delete(setKnown);
  }, [api, api.user]);
  return known.login === api.user ? known.answer : null; // the answer for another user is not one for this
}

/** isRoot reports whether the person may read and change users and roles. */
export const isRoot = (who) => who !== null && (!who.enabled || (who.user !== undefined && who.roles?.some((r) => r.role === "root")));

/**
 * confirmSession is called after an answer with the status 401. A person without a login may log in: openLogin. A person with a login may
 * lack a right, which is no reason for a new login. But if the server no longer accepts the password, the login ends.
 */
export function confirmSession(api, openLogin) {
  if (!api.user) {
    openLogin();
    return Promise.resolve();
  }
  checking ??= (async () => {
    try {
      const login = api.user;
      publish(login, await api.json("GET", "/v2/auth/self"));
    } catch (error) {
      if (error.status !== 401) return;
      api.logout();
      openLogin();
    } finally {
      checking = null;
    }
  })();
  return checking;
}
