// One Engine.IO connection, the root namespace on it for the latency, and one guild's namespace.
import { io } from "../socket.io.esm.min.js";

const answerWithin = 7000; // ms until a command without an answer is given up
const latencyEvery = 5000; // ms

/**
 * Dispatches "link" when detail.{state, transport, latency, recovered, message} changes, and
 * "event" with detail.{name, arg} for everything the guild's namespace says.
 */
export class Connection extends EventTarget {
  #root = io({ path: "/socket.io/" });
  #guild = null;
  #link = { state: "connecting", transport: "", latency: null, recovered: false, message: "" };

  constructor() {
    super();
    const manager = this.#root.io;
    manager.on("open", () => {
      this.#change({ transport: manager.engine.transport.name });
      manager.engine.on("upgrade", (transport) => this.#change({ transport: transport.name }));
    });
    manager.on("close", () => this.#change({ transport: "", latency: null }));
    this.#root.on("connect", () => this.#measure());
    setInterval(() => this.#measure(), latencyEvery);
  }

  get link() { return this.#link; }

  /** Leaves the guild that was open and joins another. credential is {type, key}. */
  open(guild, credential) {
    this.#guild?.removeAllListeners();
    this.#guild?.offAny();
    this.#guild?.disconnect();
    const socket = this.#root.io.socket(`/guild/${guild}`, { auth: credential });
    socket.auth = credential; // the manager may know the socket from before, with another
    this.#guild = socket;
    this.#change({ state: "connecting", message: "", recovered: false });
    socket.on("connect", () => this.#change({ state: "connected", message: "", recovered: Boolean(socket.recovered) }));
    socket.on("disconnect", (reason) => this.#change({ state: socket.active ? "connecting" : "disconnected", message: reason }));
    socket.on("connect_error", (error) => this.#refused(socket, error));
    socket.onAny((name, arg) => this.dispatchEvent(new CustomEvent("event", { detail: { name, arg } })));
    socket.connect();
  }

  /** Asks the bot for something; resolves to its answer and never rejects. */
  async command(name, ...args) {
    if (!this.#guild?.connected) return { status: "error", reason: "not connected" };
    try {
      return await this.#guild.timeout(answerWithin).emitWithAck(name, ...args);
    } catch {
      return { status: "error", reason: "no answer in time" };
    }
  }

  #refused(socket, error) {
    if (socket.active) return this.#change({ state: "connecting", message: error.message }); // the connection failed, and is tried again
    this.#change({ state: "refused", message: error.message });
    const retry = error.data?.retryAfterMs;
    if (retry > 0) setTimeout(() => socket === this.#guild && socket.connect(), retry);
  }

  #measure() {
    if (!this.#root.connected) return;
    const sent = performance.now();
    this.#root.once("pong", () => this.#change({ latency: performance.now() - sent }));
    this.#root.emit("ping");
  }

  #change(part) {
    this.#link = { ...this.#link, ...part };
    this.dispatchEvent(new CustomEvent("link", { detail: this.#link }));
  }
}
