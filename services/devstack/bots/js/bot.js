// node bot.js [--fanout 127.0.0.1:7070] [--guild ID] [--channel ID] [--alive FILE]
// Plays in one guild until Ctrl-C; says on stdout when it serves commands and which ones it got. It renews FILE, for alive.js, each
// second while it is connected. In the environment: PONA_CA, PONA_CERT and PONA_KEY, which are files, for TLS, and PONA_TOKEN.
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Player } from "./player.js";
import { Pona } from "./pona.js";

const { values: options } = parseArgs({ options: {
  fanout: { type: "string", default: "127.0.0.1:7070" },
  guild: { type: "string", default: "100000000000000009" },
  channel: { type: "string", default: "200000000000000009" },
  alive: { type: "string" },
} });

const { PONA_CA, PONA_CERT, PONA_KEY, PONA_TOKEN: token } = process.env;
const [ca, cert, key] = [PONA_CA, PONA_CERT, PONA_KEY].map((file) => file && readFileSync(file));

const pona = new Pona(options.fanout, { ca, cert, key, token });
const player = new Player(options.guild, options.channel, (event) => pona.publish(event));

pona.serve("bot.js", [options.guild], (command) => {
  console.log(`command ${command.name} from ${command.userId}`);
  return player.obey(command);
}, ({ fanoutId }) => console.log(`serving guild ${options.guild} through ${fanoutId}`),
({ code, details }) => console.error(`not connected: ${code} ${details}`));

if (options.alive) setInterval(() => { if (pona.connected) writeFileSync(options.alive, ""); }, 1000).unref();

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    player.stop();
    pona.close();
  });
}

try {
  await player.start();
  console.log("playing");
} catch (error) {
  if (error.message !== "closed") throw error;
}
