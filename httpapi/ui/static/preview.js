// The preview of a plan in a dialog: it is made when the person asks for it, and thrown away when the form changes.
import { useEffect, useRef, useState } from "./html.js";

const none = { plan: null, busy: false, problem: "" };

/**
 * usePreview returns {preview, load, clear}. load calls makePlan(signal), and preview is then {plan, busy, problem}. A later call of load
 * or clear, or the end of the dialog, aborts an earlier one.
 */
export function usePreview(makePlan) {
  const [preview, setPreview] = useState(none);
  const stop = useRef(null);
  useEffect(() => () => stop.current?.abort(), []);
  const load = async () => {
    stop.current?.abort();
    const { signal } = (stop.current = new AbortController());
    setPreview({ ...none, busy: true });
    try {
      const readAt = performance.now();
      const plan = { ...(await makePlan(signal)), readAt };
      if (!signal.aborted) setPreview({ ...none, plan });
    } catch (error) {
      if (!signal.aborted) setPreview({ ...none, problem: `There is no preview, and nothing was written. ${error.message}` });
    }
  };
  const clear = () => {
    stop.current?.abort();
    setPreview(none);
  };
  return { preview, load, clear };
}
