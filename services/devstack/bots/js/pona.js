// A bot's side of pona.bot.v1: publishing that survives a lost connection, and serving commands.
// Ids are strings: a Discord snowflake does not fit into a JavaScript number.
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const protoFolder = fileURLToPath(new URL("../../../../proto", import.meta.url));
const definition = loader.loadSync("pona/bot/v1/bot.proto", { includeDirs: [protoFolder], longs: String, enums: String, oneofs: true, defaults: true });
const { BotService } = grpc.loadPackageDefinition(definition).pona.bot.v1;

const maxWaiting = 1000; // events not stored yet; publish refuses more
const firstPause = 100, longestPause = 5000; // ms between two tries to connect

/** JSON as the bytes that the proto fields of type bytes want. */
export const json = (value) => Buffer.from(JSON.stringify(value));

export class Pona {
  #client;
  #identity = new grpc.Metadata(); // of each call
  #publishing;
  #serving;
  #registered = false;
  #waiting = []; // {event, resolve, reject}, oldest first: sent and not answered, or not sent yet

  /**
   * address is a fanout's gRPC address, such as 127.0.0.1:7070. ca, cert and key are PEM: the authority that fanouts' certificates
   * are held to, without which there is no TLS; and the bot's own certificate, where they ask for one. token is one of their --bot-tokens.
   */
  constructor(address, { ca, cert, key, token } = {}) {
    const security = ca ? grpc.credentials.createSsl(ca, key, cert) : grpc.credentials.createInsecure();
    this.#client = new BotService(address, security, { "grpc.keepalive_time_ms": 30_000 });
    if (token) this.#identity.set("authorization", `Bearer ${token}`);
    this.#publishing = new Lasting(() => this.#client.publishStream(this.#identity), {
      // What an earlier stream did not answer goes out again, with the same event ids: it is stored once.
      opened: (stream) => { for (const { event } of this.#waiting) stream.write({ events: [event] }); },
      message: ({ results }) => this.#waiting.shift()?.resolve(results[0]),
      ended: (error) => {
        if (error?.code === grpc.status.INVALID_ARGUMENT) this.#waiting.shift()?.reject(error); // the oldest is the refused one
      },
    });
  }

  /**
   * Publishes one event, such as {guildId: "1", pauseUpdated: {paused: true}}. Resolves to
   * {sequence, duplicate} once it is stored, however often the connection breaks; rejects when it
   * is refused or when too many events wait.
   */
  publish(event) {
    if (this.#waiting.length >= maxWaiting) return Promise.reject(new Error("too many events wait to be stored"));
    event = { eventId: randomUUID(), publishedAtNs: String(BigInt(Date.now()) * 1_000_000n), ...event };
    return new Promise((resolve, reject) => {
      this.#waiting.push({ event, resolve, reject });
      this.#publishing.stream?.write({ events: [event] });
    });
  }

  /**
   * Answers the commands of some guilds. answer(command) gets {guildId, userId, name, args} with
   * the arguments parsed, and returns the sequence of the last event it caused, if any; what it
   * throws is the reason that the listener is given. registered() is called on every registration,
   * lost({code, details}) whenever a connection ends or cannot be made; there will be another try.
   */
  serve(botName, guildIds, answer, registered = () => {}, lost = () => {}) {
    this.#serving = new Lasting(() => this.#client.serveCommands(this.#identity), {
      opened: (stream) => stream.write({ registration: { botName, guilds: { guildIds } } }),
      ended: (status) => {
        this.#registered = false;
        lost(status);
      },
      message: async (message, stream) => {
        if (message.registered) {
          this.#registered = true;
          return registered(message.registered);
        }
        const { commandId, ...command } = message.command;
        try {
          const sequence = await answer({ ...command, args: command.args.map((text) => JSON.parse(text)) });
          stream.write({ answer: { commandId, status: "STATUS_OK", sequence: sequence ?? "0" } });
        } catch (error) {
          stream.write({ answer: { commandId, status: "STATUS_ERROR", reason: error.message } });
        }
      },
    });
  }

  /** Whether a fanout brings commands, and no event waits to be stored. */
  get connected() { return this.#registered && this.#waiting.length === 0; }

  /** Ends everything; events that wait are rejected. */
  close() {
    this.#publishing.close();
    this.#serving?.close();
    this.#client.close();
    for (const { reject } of this.#waiting.splice(0)) reject(new Error("closed"));
  }
}

/** A bidirectional stream that is opened again whenever it ends, with longer and longer pauses. */
class Lasting {
  #open;
  #on;
  #pause = firstPause;
  #timer;
  #closed = false;
  stream = null; // null between two streams

  constructor(open, on) {
    this.#open = open;
    this.#on = on;
    this.#connect();
  }

  #connect() {
    const stream = this.#open();
    this.stream = stream;
    stream.on("data", (message) => {
      this.#pause = firstPause;
      this.#on.message(message, stream);
    });
    stream.on("error", () => {}); // status says the same
    stream.on("status", (status) => {
      this.stream = null;
      if (this.#closed) return;
      this.#on.ended?.(status);
      this.#timer = setTimeout(() => this.#connect(), this.#pause * (0.5 + Math.random()));
      this.#pause = Math.min(this.#pause * 2, longestPause);
    });
    this.#on.opened(stream);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.stream?.cancel();
  }
}
