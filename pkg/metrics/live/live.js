// Shows /v1/metrics as pictures that move. A tile is a number now; one with a rate is how fast a
// counter grows, in a second.
const kept = 120; // seconds of history

const tiles = [
  ["activeConnections", "Connections"], ["messagesSent", "Messages out", "/s"], ["messagesReceived", "Messages in", "/s"],
  ["averageLatency", "Bot to socket", "ms"], ["averagePing", "Ping", "ms"], ["namespaceCount", "Namespaces"],
  ["roomCount", "Rooms"], ["guildCount", "Guilds"], ["backloggedConnections", "Slow clients"], ["fanoutsConnected", "Fanouts"],
  ["eventsSent", "Events to edges", "/s"], ["averageStoring", "Storing", "ms"], ["lagEvents", "Lag", "events"],
  ["edges", "Edge streams"], ["bots", "Bots"], ["averageBatch", "Events in a batch"], ["averageCommand", "Command", "ms"],
].map(([key, title, unit = ""]) => ({ key, title, unit, history: [] }));

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1, notation: "compact" });
const element = (id) => document.getElementById(id);
let before = null;

function draw(tile, value) {
  if (!tile.view) {
    tile.view = document.createElement("article");
    tile.view.className = "tile";
    tile.view.innerHTML = `<span></span><b></b><svg viewBox="0 0 ${kept} 100" preserveAspectRatio="none" aria-hidden="true"><path/></svg>`;
    tile.view.querySelector("span").textContent = tile.title;
    element("tiles").append(tile.view);
  }
  tile.history.push(value);
  if (tile.history.length > kept) tile.history.shift();
  tile.view.querySelector("b").textContent = `${number.format(value)} ${tile.unit}`;
  const top = Math.max(...tile.history, 1e-9);
  const points = tile.history.map((v, i) => `${kept - tile.history.length + i},${95 - (90 * v) / top}`);
  tile.view.querySelector("path").setAttribute("d", `M${points.join("L")}`);
}

function partitions({ partitions: count, partitionsOwned: owned }) {
  element("partitions").hidden = !owned;
  if (!owned) return;
  const grid = element("grid"), mine = new Set(owned);
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
    const seconds = before ? now.uptimeSeconds - before.uptimeSeconds : 0;
    for (const tile of tiles) {
      if (now[tile.key] === undefined) continue;
      if (tile.unit !== "/s") draw(tile, now[tile.key]);
      else if (seconds > 0) draw(tile, (now[tile.key] - before[tile.key]) / seconds);
    }
    partitions(now);
    hitRates(now);
    before = now;
    element("state").className = "";
    element("state").textContent = `up for ${number.format(now.uptimeSeconds / 60)} min`;
  } catch (error) {
    element("state").className = "lost";
    element("state").textContent = `no answer: ${error.message}`;
  }
  setTimeout(look, 1000);
}

look();
