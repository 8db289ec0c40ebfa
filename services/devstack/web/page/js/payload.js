// Most arguments are JSON as base64 of its UTF-8 text.

/** Decodes such an argument. Durations beyond 2^53 lose digits here, which only shows a live stream. */
export function decode(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}
