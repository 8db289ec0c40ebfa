// Shows /v1/metrics as pictures that move. A tile is a number now; one with a rate is how fast a
// counter grows, in a second.
const kept = 120; // seconds of history

const tiles = [
  ["activeConnections", "Connections"], ["messagesSent", "Messages out", "/s"], ["messagesReceived", "Messages in", "/s"],
  ["averageLatency", { edge: "Bot to socket", fanout: "Stored to sent" }, "ms"], ["averagePing", "Ping", "ms"], ["namespaceCount", "Namespaces"],
  ["roomCount", "Rooms"], ["guildCount", "Guilds"], ["backloggedConnections", "Slow clients"], ["fanoutsConnected", "Fanouts"],
  ["eventsSent", "Events to edges", "/s"], ["averageStoring", "Storing", "ms"], ["lagEvents", "Lag", "events"],
  ["edges", "Edge streams"], ["bots", "Bots"], ["averageBatch", "Events in a batch"], ["averageCommand", "Command", "ms"],
].map(([key, title, unit = ""]) => ({ key, title, unit, history: [] }));

const age = (seconds) => seconds < 120 ? `${Math.floor(seconds)} s` : seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1, notation: "compact" });
const element = (id) => document.getElementById(id);
let before = null;

function show(tile, service) {
  tile.view = document.createElement("article");
  tile.view.className = "tile";
  tile.view.innerHTML = `<h3></h3><small></small><b>…</b><svg viewBox="0 0 ${kept - 1} 100" preserveAspectRatio="none" aria-hidden="true"><path class="area"/><path class="line"/></svg>`;
  tile.view.querySelector("h3").textContent = tile.title[service] ?? tile.title;
  element("tiles").append(tile.view);
}

// draw moves a tile's curve by one second; its height is that of the last two minutes.
function draw(tile, value) {
  tile.history.push(value);
  if (tile.history.length > kept) tile.history.shift();
  const top = Math.max(...tile.history), first = kept - tile.history.length;
  const line = tile.history.map((v, i) => `${first + i},${96 - (92 * v) / (top || 1)}`).join("L");
  tile.view.querySelector("b").textContent = `${number.format(value)} ${tile.unit}`;
  tile.view.querySelector("small").textContent = top > 0 ? `peak ${number.format(top)}` : "";
  tile.view.querySelector(".line").setAttribute("d", `M${line}`);
  tile.view.querySelector(".area").setAttribute("d", `M${first},100L${line}L${kept - 1},100Z`);
}

function partitions({ partitions: count, partitionsOwned: owned }) {
  element("partitions").hidden = !owned;
  if (!owned) return;
  const grid = element("grid"), mine = new Set(owned);
  element("share").textContent = `${owned.length} of ${count}`;
  while (grid.children.length < count) grid.append(document.createElement("i"));
  [...grid.children].forEach((cell, i) => {
    cell.className = mine.has(i) ? "own" : "";
    cell.title = `partition ${i}${mine.has(i) ? ", owned" : ""}`;
  });
}

function hitRates({ cacheHitRates: rates = {} }) {
  element("rates").hidden = Object.keys(rates).length === 0;
  element("bars").replaceChildren(...Object.entries(rates).sort().map(([name, rate]) => {
    const bar = document.createElement("label");
    bar.className = "bar";
    const [title, meter, text] = ["span", "meter", "span"].map((tag) => document.createElement(tag));
    title.textContent = name;
    Object.assign(meter, { min: 0, max: 1, low: 0.8, high: 0.8, optimum: 1, value: rate });
    text.textContent = `${Math.round(rate * 100)} %`;
    bar.append(title, meter, text);
    return bar;
  }));
}

async function look() {
  try {
    const now = await (await fetch("../v1/metrics", { signal: AbortSignal.timeout(3000) })).json();
    const service = now.activeConnections === undefined ? "fanout" : "edge";
    const seconds = before ? now.uptimeSeconds - before.uptimeSeconds : 0;
    for (const tile of tiles) {
      if (now[tile.key] === undefined) continue;
      if (!tile.view) show(tile, service);
      if (tile.unit !== "/s") draw(tile, now[tile.key]);
      else if (seconds > 0) draw(tile, (now[tile.key] - before[tile.key]) / seconds);
    }
    partitions(now);
    hitRates(now);
    before = now;
    element("state").className = "";
    element("name").textContent = document.title = `Pona ${service}`;
    element("state").textContent = `${location.host}, up for ${age(now.uptimeSeconds)}`;
  } catch (error) {
    element("state").className = "lost";
    element("state").textContent = `no answer: ${error.message}`;
  }
  setTimeout(look, 1000);
}

look();
