// The current track: cover, names, lyrics, progress and the buttons' looks.
import { artwork } from "./artwork.js";
import { isLive, positionAt } from "./state.js";
import { clock, person } from "./text.js";

const $ = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Stage {
  #state;
  #shown = 0; // ms on the progress bar
  #frame = 0; // time of the frame before
  #dragging = false;
  #cover = ""; // what the cover shows

  /** onSeek is called with ms when the listener lets the bar go. */
  constructor(onSeek) {
    const bar = $("seek");
    bar.addEventListener("input", () => { this.#dragging = true; this.#paint(Number(bar.value)); });
    bar.addEventListener("change", () => { this.#dragging = false; this.#shown = Number(bar.value); onSeek(this.#shown); });
    if (calm.matches) setInterval(() => this.#tick(performance.now()), 1000);
    else requestAnimationFrame(this.#animate);
  }

  show(state) {
    const before = this.#state?.current;
    this.#state = state;
    const track = state.current;
    const stage = $("stage");
    stage.dataset.playing = String(state.playing);
    stage.dataset.empty = String(!track);

    $("label").textContent = !track ? "Pona" : state.playing ? "Now playing" : "Paused";
    $("title").textContent = track ? track.title ?? "Untitled" : !state.known ? "Connecting…" : state.exists ? "The queue has ended" : "It is quiet here";
    $("author").textContent = track ? track.author ?? "" : state.known ? "Bring the music into a voice channel to begin." : "";
    const asked = person(track?.requester);
    $("requester").textContent = asked ? `Asked for by ${asked.name}` : "";
    $("join").hidden = !state.known || state.exists;
    document.title = track ? `${track.title ?? "Untitled"} – Pona` : "Pona";

    this.#showCover(track);
    this.#showButtons(state);
    const live = isLive(track);
    $("live").hidden = !live;
    $("length").hidden = live;
    $("length").textContent = clock(track?.duration ?? 0);
    const bar = $("seek");
    bar.dataset.live = String(live);
    bar.max = String(live || !track ? 1 : track.duration);
    bar.disabled = !track || live || track.isSeekable === false;
    if (before?.uniqueId !== track?.uniqueId) this.#shown = positionAt(state, performance.now());
    this.#tick(performance.now());
  }

  #showCover(track) {
    const key = track ? String(track.identifier ?? track.title) : "";
    if (key === this.#cover) return;
    this.#cover = key;
    const cover = $("cover");
    const root = document.documentElement.style;
    if (!track) {
      cover.replaceChildren();
      for (const name of ["--glow-a", "--glow-b", "--accent"]) root.removeProperty(name);
      return;
    }
    const art = artwork(key);
    cover.ariaLabel = `Artwork of ${track.title ?? "the track"}`;
    const image = picture(track, art);
    cover.append(image);
    image.addEventListener("animationend", () => { while (cover.firstChild !== image && cover.contains(image)) cover.firstChild.remove(); });
    while (cover.childElementCount > 2) cover.firstChild.remove();
    root.setProperty("--glow-a", art.glow[0]);
    root.setProperty("--glow-b", art.glow[1]);
    root.setProperty("--accent", art.accent);
  }

  #showButtons(state) {
    const toggle = $("toggle");
    toggle.ariaLabel = state.playing ? "Pause" : "Play";
    $("toggle-icon").setAttribute("href", state.playing ? "#i-pause" : "#i-play");
    for (const id of ["toggle", "next", "previous", "repeat"]) $(id).disabled = !state.exists || (!state.current && id !== "repeat");
    $("repeat").dataset.mode = state.repeat;
    $("repeat").ariaLabel = `Repeat: ${state.repeat === "none" ? "off" : state.repeat}`;
    $("volume").textContent = state.volume === null ? "–" : `${state.volume}%`;
    $("autoplay").hidden = !state.autoplay;
  }

  #animate = (now) => {
    this.#tick(now);
    requestAnimationFrame(this.#animate);
  };

  // The bar moves by itself and is drawn gently to where the bot says the track is; far off, it jumps.
  #tick(now) {
    const state = this.#state;
    if (!state || this.#dragging) return;
    const target = positionAt(state, now);
    const elapsed = Math.min(now - this.#frame, 1000);
    this.#frame = now;
    const guess = this.#shown + (state.playing ? elapsed : 0);
    const off = target - guess;
    this.#shown = Math.abs(off) > 900 ? target : guess + off * Math.min(1, elapsed / 400);
    this.#paint(this.#shown);
  }

  #paint(ms) {
    const track = this.#state?.current;
    const live = isLive(track);
    const bar = $("seek");
    const length = live || !track ? 0 : track.duration;
    if (!this.#dragging) bar.value = String(live ? 1 : ms);
    bar.style.setProperty("--done", live ? "100%" : length ? `${((100 * ms) / length).toFixed(3)}%` : "0%");
    const text = clock(ms);
    if ($("elapsed").textContent !== text) {
      $("elapsed").textContent = text;
      bar.setAttribute("aria-valuetext", live ? "live" : `${text} of ${clock(length)}`);
      this.#paintLyrics(ms);
    }
  }

  #paintLyrics(ms) {
    const lines = this.#state?.current?.lyrics?.lines;
    $("lyrics").hidden = !lines?.length;
    if (!lines?.length) return;
    const next = lines.findIndex((l) => l.timestamp > ms);
    const now = next < 0 ? lines.length - 1 : next - 1;
    $("line-now").textContent = lines[now]?.line ?? "…";
    $("line-then").textContent = lines[now + 1]?.line ?? "";
  }
}

/** An image of the track: the bot's artwork, or ours where it has none or cannot be loaded. */
export function picture(track, art) {
  const image = new Image();
  image.alt = "";
  image.decoding = "async";
  image.addEventListener("error", () => { image.src = art.src; }, { once: true });
  image.src = /^(https:|data:image\/)/.test(track.artworkUrl ?? "") ? track.artworkUrl : art.src;
  return image;
}
