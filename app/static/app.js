// What HTML and htmx do not do by themselves. Every act of the portal works without this file.
"use strict";

// hx-swap="keyed": children of the target are matched by id, so that a list can be renewed while one of its
// recordings plays. A row whose data-version did not change is left alone; of a changed row only the parts
// marked data-part are replaced, never its player, nor a part whose own data-version did not change: an act in
// it may wait for its turn. The focus stays where it was.
const keyed = {
  isPlaying(row) {
    return [...row.querySelectorAll("audio")].some((audio) => !audio.paused && !audio.ended);
  },

  renewRow(row, next) {
    const replaced = [];
    for (const part of next.querySelectorAll("[data-part]")) {
      const old = row.querySelector(`[data-part="${part.dataset.part}"]`);
      if (old && !(part.dataset.version && part.dataset.version === old.dataset.version)) {
        old.replaceWith(part);
        replaced.push(part);
      }
    }
    row.className = next.className;
    row.dataset.version = next.dataset.version;
    return replaced;
  },

  neighbour(row) {
    const other = row.nextElementSibling || row.previousElementSibling;
    return other && other.querySelector("button, a[href]");
  },

  removeRow(row, list) {
    if (row.contains(document.activeElement)) {
      (keyed.neighbour(row) || list).focus();
    }
    row.remove();
  },

  merge(list, fragment) {
    const focused = document.activeElement && document.activeElement.id;
    const wanted = [...fragment.children];
    const ids = new Set(wanted.map((row) => row.id));
    const added = [];
    for (const row of [...list.children]) {
      if (ids.has(row.id)) continue;
      if (keyed.isPlaying(row)) {
        row.dataset.gone = "";
        row.classList.remove("is-new");
      } else {
        keyed.removeRow(row, list);
      }
    }
    let place = list.firstElementChild;
    for (const next of wanted) {
      const row = document.getElementById(next.id);
      if (!row) {
        list.insertBefore(next, place);
        added.push(next);
        continue;
      }
      delete row.dataset.gone;
      if (row.dataset.version !== next.dataset.version) {
        added.push(...keyed.renewRow(row, next));
      }
      // A row is never moved: moving would stop its player. Lists here keep their order.
      place = row.nextElementSibling;
    }
    if (focused && document.activeElement === document.body) {
      const again = document.getElementById(focused);
      if (again) again.focus();
    }
    return added;
  },
};

htmx.defineExtension("keyed", {
  isInlineSwap: (style) => style === "keyed",
  handleSwap: (style, target, fragment) => style === "keyed" && keyed.merge(target, fragment),
});

// Whoever pressed a button that is gone now, such as Undo, goes on from what it changed.
document.addEventListener("htmx:afterSettle", (event) => {
  const { target, requestConfig } = event.detail;
  if (!requestConfig || requestConfig.elt.isConnected || document.activeElement !== document.body) return;
  // What renews itself, and was not pressed, takes no focus. A target that was replaced has its id again.
  const place = target.isConnected ? target : document.getElementById(target.id);
  if (place && !requestConfig.elt.id.startsWith("poll-")) place.focus();
});

// A row that left its list while it played goes when it has ended.
document.addEventListener("ended", (event) => {
  const row = event.target.closest("[data-gone]");
  if (row) keyed.removeRow(row, row.parentElement);
}, true);

// Only one recording plays at a time.
document.addEventListener("play", (event) => {
  for (const audio of document.querySelectorAll("audio")) {
    if (audio !== event.target) audio.pause();
  }
}, true);

// A message that is deleted falls silent at once.
document.addEventListener("htmx:beforeRequest", (event) => {
  const form = event.target.closest("form[data-silences]");
  const row = form && form.closest("li");
  if (row) row.querySelectorAll("audio").forEach((audio) => audio.pause());
});

// What stands before the portal answers for it while it is away: its pages are none of ours. Ours say how to swap.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  if (xhr.status >= 400 && xhr.status !== 422 && !xhr.getResponseHeader("HX-Reswap")) {
    event.detail.shouldSwap = false;
  }
});

// Say when the portal does not answer, and no more when it does again. A refusal of what stands before it, as of a file
// that is too large there, has words of its own.
function connection(lost, refused = false) {
  const line = document.getElementById("connection");
  if (!line) return;
  line.dataset.away = line.dataset.away || line.textContent;
  const words = refused ? line.dataset.refused : line.dataset.away;
  if (lost && line.textContent !== words) line.textContent = words;
  if (line.hidden === lost) line.hidden = !lost;
}
document.addEventListener("htmx:sendError", () => connection(true));
document.addEventListener("htmx:timeout", () => connection(true));
document.addEventListener("htmx:afterOnLoad", (event) => {
  const { xhr } = event.detail;
  const refused = xhr.status >= 400 && xhr.status < 500 && xhr.status !== 422 && !xhr.getResponseHeader("HX-Reswap");
  connection(xhr.status >= 500 || refused, refused);
});
