// The protocols by hand: fetch for polling, a bare WebSocket that keeps what comes until it is asked for.
import { inBrowser, equal, once } from "./runner.js";

const WebSocket = globalThis.WebSocket ?? (await import("ws")).WebSocket;

export const polling = "EIO=4&transport=polling";
export const websocket = "EIO=4&transport=websocket";

/** Requests `path?query`; with a body it is a POST. Returns the answer in short. */
export async function ask(address, { body, method = body === undefined ? "GET" : "POST", ...more } = {}) {
  const response = await fetch(address, { method, body, ...more });
  return [response.status, await response.text()];
}

/** Opens a polling session: its handshake, and the address of its requests. */
export async function openPolling(base) {
  const [status, text] = await ask(`${base}?${polling}`);
  equal(status, 200, `handshake answered ${text}`);
  equal(text[0], "0", "the packet's type");
  const handshake = JSON.parse(text.slice(1));
  return { handshake, at: `${base}?${polling}&sid=${handshake.sid}`, upgrade: `${base}?${websocket}&sid=${handshake.sid}` };
}

export class Wire {
  #socket;
  #came = [];
  #awaited = [];

  /** `pong` answers pings, which are then not shown. */
  constructor(address, { pong = false } = {}) {
    this.#socket = new WebSocket(address.replace("http", "ws"));
    this.#socket.binaryType = "arraybuffer";
    this.closed = once(this.#socket, "close");
    this.opened = once(this.#socket, "open");
    if (!inBrowser) this.#socket.on("error", () => {}); // the close follows
    this.#socket.addEventListener("message", ({ data }) => {
      if (pong && data === "2") return this.#socket.send("3");
      const next = this.#awaited.shift();
      if (next) next(data);
      else this.#came.push(data);
    });
  }

  send(...messages) {
    for (const m of messages) this.#socket.send(m);
  }

  /** The next message. */
  next() {
    if (this.#came.length) return Promise.resolve(this.#came.shift());
    return new Promise((resolve) => this.#awaited.push(resolve));
  }

  /** Waits for exactly these messages. */
  async expect(...messages) {
    for (const want of messages) equal(await this.next(), want, "message");
  }

  close() {
    this.#socket.close();
  }
}
