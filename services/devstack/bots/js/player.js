// A player without sound: three tracks, for ever. It tells what happens through publish.
import { json } from "./pona.js";

const tracks = [
  { title: "Überfahrt", author: "Anker & Söhne <live>", identifier: "js-1", uniqueId: "js-1", duration: 95_500.5, isSeekable: true },
  { title: "Radio ohne Ende", author: "Sender 9", identifier: "js-2", uniqueId: "js-2", duration: 9223372036854775807, isSeekable: false, isStream: true },
  { title: "Kurz 🎈", author: "Ein Moment", identifier: "js-3", uniqueId: "js-3", duration: 30_000, isSeekable: true },
];

// The commands it obeys, and how many arguments each takes.
const takes = { play: 0, pause: 0, next: 0, seek: 1 };

export class Player {
  #publish;
  #guildId;
  #channel;
  #now = 0; // index of the current track
  #position = 0; // ms
  #paused = false;
  #timer;

  /** publish(event) resolves to {sequence}. channel is the id of the voice channel it plays in. */
  constructor(guildId, channel, publish) {
    this.#guildId = guildId;
    this.#channel = channel;
    this.#publish = (kind) => publish({ guildId, ...kind });
  }

  async start() {
    const [current, ...queue] = this.#queue();
    await this.#publish({ playerCreated: { state: json({
      pona: {
        position: 0, length: current.duration, voiceChannel: this.#channel, volume: 80, equalizer: [],
        repeat: { track: false, queue: true, dynamic: false }, isAutoplay: false, paused: false, playing: true,
      },
      current, queue,
    }) } });
    await this.#play(0);
    this.#timer = setInterval(() => this.#tick().catch(() => {}), 1000); // an event that is not stored is no longer of interest
  }

  stop() { clearInterval(this.#timer); }

  /** Obeys a command; resolves to the sequence of its last event, and throws the reason of a refusal. */
  obey({ name, args }) {
    if (!Object.hasOwn(takes, name)) throw new Error(`this bot knows no ${name}`);
    if (args.length !== takes[name]) throw new Error(`${name} takes ${takes[name]} arguments, got ${args.length}`);
    switch (name) {
      case "play": return this.#hold(false);
      case "pause": return this.#hold(true);
      case "next": return this.#play(this.#now + 1);
      case "seek": return this.#seek(args[0]);
    }
  }

  async #hold(paused) {
    this.#paused = paused;
    return (await this.#publish({ pauseUpdated: { paused } })).sequence;
  }

  async #seek(ms) {
    const track = tracks[this.#now];
    if (!track.isSeekable) throw new Error("a live stream cannot be sought in");
    if (typeof ms !== "number" || ms < 0 || ms > track.duration) throw new Error(`${JSON.stringify(ms)} is no position in this track`);
    this.#position = ms;
    return (await this.#sayPosition()).sequence;
  }

  async #play(index) {
    this.#now = index % tracks.length;
    this.#position = 0;
    this.#paused = false;
    const queue = this.#queue();
    return (await this.#publish({ trackStarted: { track: json(queue[0]), queue: json(queue) } })).sequence;
  }

  async #tick() {
    if (this.#paused) return;
    this.#position += 1000;
    if (this.#position >= tracks[this.#now].duration) await this.#play(this.#now + 1);
    else await this.#sayPosition();
  }

  #sayPosition() { return this.#publish({ positionUpdated: { position: JSON.stringify(this.#position) } }); }

  // The queue as clients get it, the current track first.
  #queue() { return [...tracks.slice(this.#now), ...tracks.slice(0, this.#now)]; }
}
