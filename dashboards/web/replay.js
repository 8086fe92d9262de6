// Plays a call: each piece at its time, never early. The clock is performance.now(), so a busy browser comes late for a
// frame and not for those behind it.
"use strict";
const player = document.getElementById("player");
if (player) start(player);

function start(player) {
  const $ = (id) => document.getElementById(id);
  const [play, seek, now, needle, typed, count, speed, cap, link] =
    ["play", "seek", "now", "needle", "typed", "count", "speed", "cap", "link"].map($);
  let frames = []; // [number, ns, kind, text, kind, text, …]
  let due = []; // seconds of play at which each frame is due, with long waits cut
  let total = 0; // seconds of play
  let recorded = Number(player.dataset.length);
  let shown = 0; // frames that are on the page
  let position = 0; // seconds of play
  let startedAt; // performance.now() at position 0 and this speed; undefined while it rests
  let timer;
  let loaded = false;
  const address = new URLSearchParams(location.search);
  const others = document.querySelectorAll("#choices a");

  // How long a wait may be.
  function plan() {
    const longest = cap.value ? Number(cap.value) : Infinity;
    due = [];
    let at = 0;
    let before = 0;
    for (const frame of frames) {
      const time = Math.max(before, frame[1] / 1e9);
      at += Math.min(longest, time - before);
      before = time;
      due.push(at);
    }
    total = at + Math.min(longest, Math.max(0, recorded - before));
  }

  // Recorded seconds of a moment of play, and back.
  function toRecorded(seconds) {
    const place = behind(seconds);
    const before = place ? frames[place - 1][1] / 1e9 : 0;
    const since = seconds - (place ? due[place - 1] : 0);
    const next = place < frames.length ? frames[place][1] / 1e9 : recorded;
    return Math.min(next, before + since);
  }
  function toPlay(seconds) {
    let place = 0;
    while (place < frames.length && frames[place][1] / 1e9 <= seconds) place++;
    const before = place ? frames[place - 1][1] / 1e9 : 0;
    const start = place ? due[place - 1] : 0;
    const end = place < frames.length ? due[place] : total;
    return Math.min(end, start + (seconds - before));
  }
  // How many frames are due.
  function behind(seconds) {
    let [low, high] = [0, due.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (due[middle] <= seconds) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  function put(frame) {
    for (let part = 2; part < frame.length; part += 2) {
      const [kind, text] = [frame[part], frame[part + 1]];
      let last = typed.lastElementChild;
      if (!last || last.dataset.kind !== kind || kind === "i") {
        last = document.createElement("span");
        last.dataset.kind = kind;
        last.className = `p-${kind}`;
        typed.append(last);
      }
      last.append(kind === "i" ? `[image ${text}]` : text);
    }
  }

  function show(wanted) {
    if (wanted < shown) {
      typed.replaceChildren();
      shown = 0;
    }
    const stays = typed.scrollTop + typed.clientHeight < typed.scrollHeight - 24;
    while (shown < wanted) put(frames[shown++]);
    if (!stays) typed.scrollTop = typed.scrollHeight;
    count.textContent = shown.toLocaleString("en");
  }

  function draw() {
    const seconds = toRecorded(position);
    now.textContent = `${seconds.toFixed(3)} s`;
    seek.value = total ? Math.round((position / total) * 1000) : 0;
    seek.setAttribute("aria-valuetext", `${seconds.toFixed(1)} seconds`);
    const x = `${recorded ? (seconds / recorded) * 100 : 0}%`;
    needle.setAttribute("x1", x);
    needle.setAttribute("x2", x);
    address.set("t", seconds.toFixed(3));
    link.href = `?${address}`;
    // Another choice is played from the same moment.
    for (const other of others) {
      const choice = new URLSearchParams(other.search).get("choice");
      other.search = new URLSearchParams({ choice, t: seconds.toFixed(3) });
    }
  }

  function go(seconds) {
    position = Math.max(0, Math.min(total, seconds));
    if (startedAt !== undefined) startedAt = performance.now() - (position / Number(speed.value)) * 1000;
    show(behind(position));
    draw();
  }

  function tick() {
    if (startedAt === undefined) return;
    const elapsed = ((performance.now() - startedAt) / 1000) * Number(speed.value);
    // What is not here yet is waited for.
    position = loaded ? Math.min(total, elapsed) : Math.min(elapsed, due.at(-1) ?? 0);
    show(behind(position));
    draw();
    if (loaded && position >= total) {
      player.dataset.endedAt = String(performance.now());
      return rest();
    }
    schedule();
  }
  // A little behind the moment, as timers of browsers may be early by a millisecond.
  function schedule() {
    const next = shown < due.length ? due[shown] : total;
    const wait = ((next - position) / Number(speed.value)) * 1000;
    timer = setTimeout(tick, Math.max(0, Math.min(wait, 40)));
  }
  function run() {
    if (loaded && position >= total) go(0);
    startedAt = performance.now() - (position / Number(speed.value)) * 1000;
    player.dataset.startedAt = String(startedAt);
    play.textContent = "Pause";
    schedule();
  }
  function rest() {
    clearTimeout(timer);
    startedAt = undefined;
    play.textContent = "Play";
  }
  function step(by) {
    rest();
    const wanted = Math.max(0, Math.min(frames.length, shown + by));
    go(wanted ? due[wanted - 1] : 0);
    // Frames of the same moment are stepped through all the same.
    show(wanted);
  }

  play.addEventListener("click", () => (startedAt === undefined ? run() : rest()));
  $("step").addEventListener("click", () => step(1));
  $("back").addEventListener("click", () => step(-1));
  seek.addEventListener("input", () => go((Number(seek.value) / 1000) * total));
  speed.addEventListener("change", () => go(position));
  cap.addEventListener("change", () => {
    const seconds = toRecorded(position);
    plan();
    go(toPlay(seconds));
  });
  for (const anchor of document.querySelectorAll("[data-seek]")) {
    anchor.addEventListener("click", (event) => {
      event.preventDefault();
      go(toPlay(Number(anchor.dataset.seek)));
    });
  }
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("select, input:not([type=range])")) return;
    const isSlider = event.target === seek;
    if (event.key === " " && event.target.closest?.("button, a")) return;
    switch (event.key) {
      case " ": play.click(); break;
      case "ArrowRight": if (isSlider) return; step(1); break;
      case "ArrowLeft": if (isSlider) return; step(-1); break;
      case "Home": if (isSlider) return; go(0); break;
      case "End": if (isSlider) return; go(total); break;
      default: return;
    }
    event.preventDefault();
  });

  (async () => {
    let next = 0;
    const wanted = Number(new URLSearchParams(location.search).get("t") ?? 0);
    while (next !== null) {
      const answer = await fetch(`${player.dataset.timeline}${player.dataset.timeline.includes("?") ? "&" : "?"}from=${next}`);
      if (!answer.ok) throw new Error(`the frames cannot be had: ${answer.status}`);
      const page = await answer.json();
      frames.push(...page.frames);
      next = page.next;
      recorded = Math.max(recorded, page.length_ns / 1e9);
      plan();
    }
    loaded = true;
    go(wanted ? toPlay(wanted) : 0);
    player.dataset.ready = "true";
  })().catch((error) => {
    typed.textContent = error.message;
  });
}
