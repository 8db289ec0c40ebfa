// Runs tests in Node and in browsers alike. A module registers its tests; run() then runs them, several
// at once, and reports each.
export const inBrowser = typeof window !== "undefined";

const patience = 20_000; // ms for one test
const atOnce = inBrowser ? 2 : 6; // a browser opens six connections to a host, and a poll keeps one

const tests = [];

/** Registers a test. Its body gets `url`, the server's address, and `use`, which closes a client at its end. */
export const test = (name, body) => tests.push({ name, body });
export const testInNode = (name, body) => inBrowser || test(name, body);
export const testInBrowser = (name, body) => inBrowser && test(name, body);

/** Runs what is registered against the server, and reports {name, ms, error?} for each. */
export async function run(url, report) {
  const waiting = [...tests];
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) report(await runOne(next, url));
  }));
}

async function runOne({ name, body }, url) {
  const began = performance.now();
  const clients = [];
  const use = (client) => (clients.push(client), client);
  let error, timer;
  try {
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done within ${patience} ms`)), patience);
    });
    await Promise.race([body({ url, use }), late]);
  } catch (thrown) {
    error = String(thrown?.stack ?? thrown);
  }
  clearTimeout(timer);
  for (const client of clients) client.close();
  return { name, ms: Math.round(performance.now() - began), error };
}

/** Throws unless both have the same JSON form; bytes count as lists of numbers. */
export function equal(got, want, what = "") {
  const [is, should] = [got, want].map((value) => JSON.stringify(plain(value)));
  if (is !== should) throw new Error(`${what} is ${is}, want ${should}`.trim());
}

export function ok(condition, what) {
  if (!condition) throw new Error(what);
}

function plain(value) {
  if (value === undefined) return "undefined";
  if (value instanceof ArrayBuffer) return [...new Uint8Array(value)];
  if (ArrayBuffer.isView(value)) return [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)];
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]));
  return value;
}

/** The arguments of an emitter's next such event; of a DOM target's, the event. */
export const once = (emitter, event) => new Promise((resolve) => {
  if (emitter.once) emitter.once(event, (...args) => resolve(args));
  else emitter.addEventListener(event, resolve, { once: true });
});

/** Waits until as many events have come, and returns the first argument of each. */
export const several = (emitter, event, count) => new Promise((resolve) => {
  const got = [];
  emitter.on(event, (arg) => got.push(arg) === count && resolve(got));
});

export const passed = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
