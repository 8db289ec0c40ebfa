// node node.js URL MODULE: runs a module's tests in Node; says {name, ms, error?} for each, a line of JSON.
import { run } from "./runner.js";

const [url, module] = process.argv.slice(2);
await import(`./${module}.js`);
await run(url, (outcome) => console.log(JSON.stringify(outcome)));
process.exit(); // clients may still try to reconnect
