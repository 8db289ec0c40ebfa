// The tracks that wait: play one now, move it (drag, or the arrows), remove it.
// Indexes are those of queue_updated, in which the current track is 0.
import { artwork } from "./artwork.js";
import { picture } from "./stage.js";
import { isLive } from "./state.js";
import { clock } from "./text.js";

const list = document.getElementById("queue");

export class Queue {
  #rows = new Map(); // uniqueId → <li>, reused so that focus and images stay
  #tracks; // shown
  #ask;
  #dragged = null;

  /** ask(name, ...args) sends a command. */
  constructor(ask) {
    this.#ask = ask;
    list.addEventListener("click", (e) => this.#clicked(e));
    list.addEventListener("dragstart", (e) => {
      this.#dragged = e.target.closest("li");
      this.#dragged?.classList.add("dragged");
      e.dataTransfer.effectAllowed = "move";
    });
    list.addEventListener("dragover", (e) => this.#over(e));
    list.addEventListener("drop", (e) => this.#dropped(e));
    list.addEventListener("dragend", () => { this.#dragged?.classList.remove("dragged"); this.#dragged = null; this.#unmark(); });
  }

  show(tracks) {
    if (tracks === this.#tracks) return;
    this.#tracks = tracks;
    const rows = new Map();
    tracks.forEach((track, i) => {
      const key = rows.has(track.uniqueId) || !track.uniqueId ? `#${i}` : track.uniqueId;
      const row = this.#rows.get(key) ?? this.#row();
      this.#fill(row, track);
      row.querySelector('[data-act="up"]').disabled = i === 0;
      row.querySelector('[data-act="down"]').disabled = i === tracks.length - 1;
      rows.set(key, row);
    });
    this.#rows = rows;
    const wanted = [...rows.values()];
    if (wanted.length !== list.children.length || wanted.some((row, i) => list.children[i] !== row)) {
      const focused = document.activeElement;
      list.replaceChildren(...wanted);
      if (list.contains(focused)) focused.focus();
    }
    document.getElementById("queue-count").textContent = tracks.length || "";
    document.getElementById("queue-empty").hidden = tracks.length > 0;
  }

  #row() {
    const row = document.createElement("li");
    row.draggable = true;
    row.dataset.testid = "queue-item";
    const button = (act, icon) => `<button class="quiet round" data-act="${act}" data-testid="${act}"><svg><use href="#i-${icon}"/></svg></button>`;
    row.innerHTML = `<span class="art"></span><button class="what" data-act="skip"><span class="name"></span><span class="by"></span></button>
      <span><span class="time"></span><span class="acts">${button("up", "up")}${button("down", "down")}${button("remove", "remove")}</span></span>`;
    return row;
  }

  #fill(row, track) {
    if (row.track === track) return;
    const changed = row.track?.identifier !== track.identifier;
    row.track = track;
    const title = track.title ?? "Untitled";
    row.querySelector(".name").textContent = title;
    row.querySelector(".by").textContent = track.author ?? "";
    row.querySelector(".time").textContent = isLive(track) ? "live" : clock(track.duration ?? 0);
    row.querySelector(".what").ariaLabel = `Play ${title} by ${track.author ?? "unknown"} now`;
    for (const [act, says] of [["up", "Move up"], ["down", "Move down"], ["remove", "Remove"]]) {
      const b = row.querySelector(`[data-act="${act}"]`);
      b.ariaLabel = `${says}: ${title}`;
      b.title = says;
    }
    if (!changed && row.querySelector("img")) return;
    const image = picture(track, artwork(String(track.identifier ?? title)));
    image.className = "art";
    image.draggable = false;
    row.querySelector(".art").replaceWith(image);
  }

  #clicked(event) {
    const button = event.target.closest("button[data-act]");
    if (!button) return;
    const row = button.closest("li");
    const index = this.#index(row);
    switch (button.dataset.act) {
      case "skip": return this.#ask("skipto", index);
      case "up": return this.#ask("move", index, index - 1);
      case "down": return this.#ask("move", index, index + 1);
      case "remove": return this.#ask("rm", row.track.uniqueId);
    }
  }

  #over(event) {
    const row = event.target.closest("li");
    if (!this.#dragged || !row) return;
    event.preventDefault();
    this.#unmark();
    if (row !== this.#dragged) row.classList.add(below(event, row) ? "over-below" : "over-above");
  }

  #dropped(event) {
    const row = event.target.closest("li");
    if (!this.#dragged || !row || row === this.#dragged) return;
    event.preventDefault();
    const from = this.#index(this.#dragged);
    let to = this.#index(row) + (below(event, row) ? 1 : 0);
    if (from < to) to--; // the track leaves its place first
    if (from !== to) this.#ask("move", from, to);
  }

  #unmark() {
    for (const row of list.querySelectorAll(".over-above, .over-below")) row.classList.remove("over-above", "over-below");
  }

  #index = (row) => [...list.children].indexOf(row) + 1;
}

function below(event, row) {
  const box = row.getBoundingClientRect();
  return event.clientY > box.top + box.height / 2;
}
