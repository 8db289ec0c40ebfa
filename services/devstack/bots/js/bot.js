// node bot.js [--fanout 127.0.0.1:7070] [--guild ID] [--channel ID]
// Plays in one guild until Ctrl-C; says on stdout when it serves commands and which ones it got.
import { parseArgs } from "node:util";
import { Player } from "./player.js";
import { Pona } from "./pona.js";

const { values: options } = parseArgs({ options: {
  fanout: { type: "string", default: "127.0.0.1:7070" },
  guild: { type: "string", default: "100000000000000009" },
  channel: { type: "string", default: "200000000000000009" },
} });

const pona = new Pona(options.fanout);
const player = new Player(options.guild, options.channel, (event) => pona.publish(event));

pona.serve("bot.js", [options.guild], (command) => {
  console.log(`command ${command.name} from ${command.userId}`);
  return player.obey(command);
}, ({ fanoutId }) => console.log(`serving guild ${options.guild} through ${fanoutId}`));

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
