// What makes the pages quicker to use. All of it can be read without.
"use strict";
document.documentElement.classList.add("with-js");

// Empty fields stay out of the address.
const filters = document.getElementById("filters");
filters?.addEventListener("submit", () => {
  for (const field of filters.elements) if (field.name && field.value === "") field.disabled = true;
});
addEventListener("pageshow", () => {
  for (const field of filters?.elements ?? []) field.disabled = false;
});

// A row is a link to its call, but for who selects text or means another link.
const table = document.getElementById("calls");
table?.addEventListener("click", (event) => {
  const row = event.target.closest("tr[data-href]");
  if (!row || event.target.closest("a, button, input") || String(getSelection())) return;
  if (event.ctrlKey || event.metaKey) open(row.dataset.href, "_blank", "noopener");
  else location.href = row.dataset.href;
});

// Keys: / searches, j and k go through the list, Enter opens, n goes on, ? tells.
let cursor = -1;
function moveTo(place) {
  const rows = table ? [...table.querySelectorAll("tr[data-href]")] : [];
  if (!rows.length) return;
  rows[cursor]?.classList.remove("cursor");
  cursor = Math.max(0, Math.min(rows.length - 1, place));
  rows[cursor].classList.add("cursor");
  rows[cursor].querySelector("a")?.focus({ preventScroll: true });
  rows[cursor].scrollIntoView({ block: "nearest" });
}
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, textarea")) return;
  const press = (id) => document.getElementById(id)?.click();
  switch (event.key) {
    case "/": document.getElementById("search")?.focus(); break;
    case "j": moveTo(cursor + 1); break;
    case "k": moveTo(cursor - 1); break;
    case "n": press("next"); press("older"); break;
    case "p": press("previous"); press("newer"); break;
    default: return;
  }
  event.preventDefault();
});

// Live tail: rows as the server writes them, at most five hundred.
const live = document.getElementById("live");
let source;
let skipped = 0;
live?.addEventListener("click", () => {
  if (source) {
    source.close();
    source = undefined;
  } else {
    source = new EventSource(live.dataset.live);
    source.addEventListener("call", (event) => {
      const { id, html } = JSON.parse(event.data);
      const body = table?.tBodies[0];
      // The first call of all: the page has no table yet.
      if (!body) return location.reload();
      const holder = new DOMParser().parseFromString(`<table><tbody>${html}</tbody></table>`, "text/html");
      const row = document.adoptNode(holder.querySelector("tr"));
      const old = document.getElementById(`c-${id}`);
      row.classList.add("fresh");
      if (old) old.replaceWith(row);
      else body.prepend(row);
      while (body.rows.length > 500) body.lastElementChild.remove();
    });
    // More came than can be shown one by one.
    source.addEventListener("skipped", (event) => {
      const { calls, is_more: isMore } = JSON.parse(event.data);
      skipped += calls;
      const note = document.getElementById("skipped");
      note.hidden = false;
      note.textContent = `${isMore ? "More than " : ""}${skipped.toLocaleString("en")} calls came too fast to be listed here: load the page again to see the latest.`;
    });
  }
  live.setAttribute("aria-pressed", String(!!source));
});

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy).textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(document.getElementById(button.dataset.copy));
      button.textContent = "Selected: copy it";
    }
  });
}
