// node alive.js FILE: fails unless bot.js --alive FILE has renewed the file in the last ten seconds.
import { statSync } from "node:fs";

const file = process.argv[2];
const renewed = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
if (!(Date.now() - renewed < 10_000)) {
  console.error(renewed ? `${file} was renewed ${new Date(renewed).toISOString()}` : `there is no ${file}`);
  process.exit(1);
}
