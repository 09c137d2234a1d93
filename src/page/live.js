// The page again, when something happened: what bears `data-live` is replaced by its new self.
"use strict";
(() => {
  const AT_MOST_EVERY = 1000; // ms, and ten times as long as the server took for the last one
  const button = document.getElementById("live");
  const find = document.getElementById("find");
  let paused = false, wanted = false, busy = false, next = 0, connected = false;

  const show = () => {
    const [text, state] = paused ? ["Paused", "paused"] : connected ? ["Live", "on"] : ["Waiting", "waiting"];
    button.textContent = text;
    button.dataset.state = state;
    button.setAttribute("aria-pressed", String(!paused));
  };

  // Whoever reads a text that is marked, or has the focus, keeps both.
  const isMarked = (element) => {
    const marked = getSelection();
    return marked && !marked.isCollapsed && marked.containsNode(element, true);
  };
  const pathOf = (element, root) => {
    const same = [...root.querySelectorAll("a, input, summary, button")];
    return element.id ? { id: element.id } : { href: element.getAttribute("href"), at: same.indexOf(element) };
  };
  const focusAgain = (root, was) => {
    const all = [...root.querySelectorAll("a, input, summary, button")];
    const found = was.id ? document.getElementById(was.id) : all.find((one) => was.href && one.getAttribute("href") === was.href) || all[was.at];
    if (found) found.focus({ preventScroll: true });
  };

  const replace = (old, fresh) => {
    if (old.isEqualNode(fresh) || isMarked(old)) return;
    const open = new Map([...old.querySelectorAll("details")].map((one) => [one.id || one.textContent, one.open]));
    const was = old.contains(document.activeElement) ? pathOf(document.activeElement, old) : null;
    const made = document.importNode(fresh, true);
    for (const one of made.querySelectorAll("details")) {
      const known = open.get(one.id || one.textContent);
      if (known !== undefined) one.open = known;
    }
    old.replaceWith(made);
    if (was) focusAgain(made, was);
  };

  const refresh = async () => {
    if (busy || paused || document.hidden || !wanted) return;
    const wait = next - performance.now();
    if (wait > 0) { setTimeout(refresh, wait); return; }
    busy = true;
    wanted = false;
    const begun = performance.now();
    try {
      const answer = await fetch(location.href, { cache: "no-store", headers: { accept: "text/html" } });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (answer.ok) {
        const now = [...document.querySelectorAll("[data-live]")];
        const ids = (all) => all.map((one) => one.id).join(" ");
        const come = [...fresh.querySelectorAll("[data-live]")];
        if (ids(now) === ids(come)) come.forEach((one, at) => replace(now[at], one));
        else replace(document.getElementById("main"), fresh.getElementById("main"));
      }
    } catch { wanted = true; }
    busy = false;
    next = performance.now() + Math.max(AT_MOST_EVERY, 10 * (performance.now() - begun));
    if (wanted) setTimeout(refresh, AT_MOST_EVERY);
  };

  if (document.querySelector("main [data-live]") && "EventSource" in window) {
    const stream = new EventSource("/events");
    const news = () => { wanted = true; refresh(); };
    stream.addEventListener("news", news);
    stream.addEventListener("beat", () => { if (performance.now() > next + 10000) news(); });
    stream.addEventListener("open", () => { connected = true; show(); });
    stream.addEventListener("error", () => { connected = false; show(); });
    document.addEventListener("visibilitychange", refresh);
    button.addEventListener("click", () => { paused = !paused; show(); if (!paused) news(); });
    button.hidden = false;
    show();
  }

  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLElement && event.target.matches("input, textarea, select");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      find.focus();
      find.select();
    }
  });
})();
