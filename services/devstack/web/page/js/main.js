// The page's story: who listens where, what the guild says, what the listener asks for.
import { artwork } from "./artwork.js";
import { Connection } from "./connection.js";
import { People } from "./people.js";
import { decode } from "./payload.js";
import { Queue } from "./queue.js";
import { addressedGuild, askSettings, rememberedKey, rememberKey } from "./settings.js";
import { Stage } from "./stage.js";
import { apply, empty, repeatModes } from "./state.js";
import { toast } from "./toast.js";

const $ = (id) => document.getElementById(id);
const config = await (await fetch("config.json")).json();
const connection = new Connection();
const people = new People();
const stage = new Stage((ms) => ask("seek", ms));
const queue = new Queue(ask);

let key = rememberedKey(config.auth);
let guild = "";
let state = empty();

function show() {
  stage.show(state);
  queue.show(state.upcoming);
  $("voice").textContent = state.seat ? (state.seat === state.channel ? "You are in voice" : "You are in another channel") : "";
}

function showPeople() {
  for (const track of [state.current, ...state.upcoming]) people.saw(track?.requester);
  people.show();
}

async function ask(name, ...args) {
  const answer = await connection.command(name, ...args);
  if (answer?.status !== "ok") toast(answer?.reason ?? "The bot refused.");
  return answer?.status === "ok";
}

function open(id) {
  guild = id;
  history.replaceState(null, "", `#${id}`);
  state = empty();
  const user = /^user:(\d+)$/.exec(key);
  people.reset({ id: user?.[1] ?? "me", name: "You" });
  connection.open(id, { type: "Bearer", key });
  showGuilds();
  show();
}

function showGuilds() {
  const known = config.guilds.some((g) => g.id === guild);
  const guilds = known ? config.guilds : [...config.guilds, { id: guild, name: `Server ${guild.slice(-4)}` }];
  $("guilds").replaceChildren(...guilds.map((g) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.dataset.testid = `guild-${g.id}`;
    if (g.id === guild) button.setAttribute("aria-current", "true");
    const image = new Image(30, 30);
    image.alt = "";
    image.src = artwork(g.id + g.name).src;
    button.append(image, g.name);
    button.addEventListener("click", () => g.id !== guild && open(g.id));
    item.append(button);
    return item;
  }));
  document.querySelector('#guilds [aria-current="true"]')?.scrollIntoView({ block: "nearest", inline: "center" });
}

connection.addEventListener("link", ({ detail: link }) => {
  $("link").dataset.state = link.state;
  $("link").dataset.recovered = String(link.recovered);
  $("link-state").textContent = link.state === "refused" ? link.message : link.state === "connected" && link.recovered ? "recovered" : link.state;
  $("link-transport").textContent = link.transport;
  $("link-latency").textContent = link.latency === null ? "" : `${link.latency < 10 ? link.latency.toFixed(1) : Math.round(link.latency)} ms`;
  $("link").title = link.message;
});

connection.addEventListener("event", ({ detail: { name, arg } }) => {
  if (name === "track_moved") people.saw(decode(arg), "moved a track"); // and queue_updated follows
  else if (name === "track_removed") people.saw(decode(arg), "removed a track");
  const before = state;
  state = apply(state, name, arg, performance.now());
  show();
  if (state.upcoming !== before.upcoming || state.current !== before.current) showPeople();
});

async function pressed(button, name, ...args) {
  button.ariaBusy = "true";
  const ok = await ask(name, ...args);
  button.ariaBusy = "false";
  return ok;
}

$("toggle").addEventListener("click", (e) => pressed(e.currentTarget, state.playing ? "pause" : "play"));
$("next").addEventListener("click", (e) => pressed(e.currentTarget, "next"));
$("previous").addEventListener("click", (e) => pressed(e.currentTarget, "previous"));
$("repeat").addEventListener("click", (e) =>
  pressed(e.currentTarget, "repeat", repeatModes[(repeatModes.indexOf(state.repeat) + 1) % repeatModes.length]));
$("join").addEventListener("click", (e) =>
  pressed(e.currentTarget, "join", guild, state.seat ?? config.guilds.find((g) => g.id === guild)?.channel ?? guild));
$("add").addEventListener("submit", async (e) => {
  e.preventDefault();
  const input = $("add-uri");
  if (await ask("add", input.value.trim(), "youtube")) {
    input.value = "";
    toast("Added to the queue.");
  }
});
$("other").addEventListener("click", async () => {
  const chosen = await askSettings(config.auth, guild, key);
  if (!chosen) return;
  key = chosen.key;
  rememberKey(config.auth, key);
  open(chosen.guild);
});

document.addEventListener("keydown", (e) => {
  if (e.target.closest("input, button, dialog, a") || e.metaKey || e.ctrlKey || e.altKey) return;
  const button = { " ": "toggle", n: "next", p: "previous" }[e.key];
  if (!button) return;
  e.preventDefault();
  $(button).click();
});
addEventListener("hashchange", () => addressedGuild() && addressedGuild() !== guild && open(addressedGuild()));

open(addressedGuild() || config.guilds[0]?.id || "0");
