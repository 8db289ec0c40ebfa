// A picture for what has none: always the same for the same text, drawn as SVG.

/** Pseudo-random numbers in [0, 1) from a text (FNV-1a into mulberry32). */
function chances(text) {
  let a = 0x811c9dc5;
  for (const c of new TextEncoder().encode(text)) a = Math.imul(a ^ c, 0x01000193);
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// Night colours that go together: deep, base, mid, light, warm.
const palettes = [
  ["#1b1440", "#43308f", "#8b6be8", "#d9ccff", "#ff9ec4"], // violet, rose
  ["#0c2340", "#1c4f86", "#4a9bd8", "#c8eaff", "#ffd08a"], // harbour, lamp
  ["#2a1030", "#7a2b6a", "#d2609c", "#ffd3e4", "#ffb27a"], // plum, peach
  ["#06282c", "#11646a", "#3fb5ac", "#c9f5ea", "#ffd98f"], // lagoon, straw
  ["#301418", "#93343c", "#e5766a", "#ffd9cb", "#ffe1a3"], // brick, butter
  ["#151d44", "#3347a8", "#7c93f5", "#d6deff", "#8ff0dc"], // indigo, mint
  ["#1d2a1f", "#3d6b52", "#7fbf97", "#dcf6df", "#f6b89a"], // fern, clay
  ["#2b1a0e", "#8a4d24", "#dd935a", "#ffe6c7", "#9fd6e8"], // copper, sky
  ["#1a1836", "#4c3f86", "#a98fdc", "#efe3ff", "#7fd8f0"], // heather, ice
  ["#071e33", "#0f5076", "#35a0b8", "#c3f2f4", "#f59ab5"], // deep sea, coral
];
const motifs = [rings, waves, horizon, petals, hills];
const made = new Map(); // text → picture; bounded below

/** The picture for a text: {src, glow: [css colour, css colour], accent: css colour, light on dark}. */
export function artwork(text) {
  if (!made.has(text)) {
    if (made.size >= 600) made.delete(made.keys().next().value);
    made.set(text, draw(text));
  }
  return made.get(text);
}

function draw(text) {
  const chance = chances(text);
  chance();
  const [deep, base, mid, light, warm] = palettes[Math.floor(chance() * palettes.length)];
  const palette = { deep, base, mid, light, warm };
  const shapes = motifs[Math.floor(chance() * motifs.length)](chance, palette);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400">
<defs><linearGradient id="g" x1="0" y1="0" x2="${(chance() * 0.6).toFixed(2)}" y2="1"><stop offset="0" stop-color="${palette.base}"/><stop offset="1" stop-color="${palette.deep}"/></linearGradient>
<radialGradient id="s"><stop offset="0" stop-color="${palette.light}" stop-opacity=".55"/><stop offset="1" stop-color="${palette.light}" stop-opacity="0"/></radialGradient>
<filter id="n"><feTurbulence type="fractalNoise" baseFrequency=".9" numOctaves="2" seed="${Math.floor(chance() * 99)}"/><feColorMatrix values="0 0 0 0 1  0 0 0 0 1  0 0 0 0 1  0 0 0 .5 -.16"/></filter></defs>
<rect width="400" height="400" fill="url(#g)"/><circle cx="${(chance() * 400).toFixed(0)}" cy="60" r="260" fill="url(#s)"/>${shapes}<rect width="400" height="400" filter="url(#n)" opacity=".28"/></svg>`;
  return {
    src: `data:image/svg+xml,${encodeURIComponent(svg)}`,
    glow: [mid, base],
    accent: light,
  };
}

function rings(chance, p) {
  const x = 110 + chance() * 180, y = 120 + chance() * 180;
  let out = "";
  for (let i = 8; i > 0; i--) {
    const r = 22 * i + chance() * 8;
    out += `<circle cx="${x + (8 - i) * 3}" cy="${y - (8 - i) * 2}" r="${r}" fill="${i % 2 ? p.mid : p.base}" fill-opacity="${(0.14 + (8 - i) * 0.05).toFixed(2)}"/>`;
  }
  return `${out}<circle cx="${x + 22}" cy="${y - 15}" r="17" fill="${p.light}"/>`;
}

function waves(chance, p) {
  let out = `<circle cx="${90 + chance() * 220}" cy="${90 + chance() * 40}" r="${34 + chance() * 26}" fill="${p.warm}" fill-opacity=".92"/>`;
  for (let i = 0; i < 6; i++) {
    const y = 165 + i * 38, lift = 20 + chance() * 34, shift = chance() * 60 - 30;
    out += `<path d="M-20 ${y} C ${80 + shift} ${y - lift}, ${140 + shift} ${y + lift}, 210 ${y} S ${340 + shift} ${y - lift}, 420 ${y + 6} V 420 H -20 Z" fill="${i % 2 ? p.base : p.mid}" fill-opacity="${(0.26 + i * 0.09).toFixed(2)}"/>`;
  }
  return out;
}

function horizon(chance, p) {
  const x = 120 + chance() * 160, r = 84 + chance() * 26;
  let out = `<clipPath id="c"><rect width="400" height="262"/></clipPath><g clip-path="url(#c)"><circle cx="${x}" cy="246" r="${r}" fill="${p.warm}"/></g><rect y="262" width="400" height="140" fill="${p.deep}" fill-opacity=".75"/>`;
  for (let i = 0; i < 7; i++) {
    const w = r * (1.7 - i * 0.2) * (0.7 + chance() * 0.4);
    out += `<rect x="${x - w / 2}" y="${272 + i * 16}" width="${w}" height="${6 - i * 0.4}" rx="3" fill="${p.warm}" fill-opacity="${(0.75 - i * 0.09).toFixed(2)}"/>`;
  }
  return out;
}

function petals(chance, p) {
  const n = 7 + Math.floor(chance() * 6), turn = chance() * 90;
  let out = "";
  for (let i = 0; i < n; i++) {
    out += `<ellipse cx="200" cy="124" rx="${(34 + (i % 3) * 7).toFixed(0)}" ry="92" transform="rotate(${(turn + (360 / n) * i).toFixed(1)} 200 206)" fill="${[p.mid, p.light, p.warm][i % 3]}" fill-opacity=".3"/>`;
  }
  return `${out}<circle cx="200" cy="206" r="25" fill="${p.deep}" fill-opacity=".85"/><circle cx="200" cy="206" r="9" fill="${p.light}"/>`;
}

function hills(chance, p) {
  const x = 90 + chance() * 220;
  let out = `<circle cx="${x}" cy="112" r="46" fill="${p.light}"/><circle cx="${x + 16}" cy="102" r="40" fill="${p.base}" fill-opacity=".9"/>`;
  for (let i = 0; i < 30; i++) out += `<circle cx="${chance() * 400}" cy="${chance() * 210}" r="${0.7 + chance() * 1.3}" fill="${p.light}" fill-opacity=".7"/>`;
  for (let i = 0; i < 4; i++) {
    const y = 232 + i * 42, peak = 60 + chance() * 280;
    out += `<path d="M-10 ${y + 40} Q ${peak - 90} ${y + 24}, ${peak} ${y - 46 + i * 10} T 410 ${y + 20} V 410 H -10 Z" fill="${[p.mid, p.warm, p.base, p.deep][i]}" fill-opacity="${[0.55, 0.5, 0.85, 0.9][i]}"/>`;
  }
  return out;
}
