// Pictures: fetched, decoded and kept. What is looked at comes first, then its neighbors; few at a time.
// What nobody wants any more is given up, and what was used longest ago is forgotten first.

const BYTES_OF_PIXEL = 4;
const ALL = 6; // as many as browsers ask of one server at once

export class Pictures {
  // `changed` is called whenever a picture, or why there is none, has come.
  constructor({ changed, most = 4, bytes = 384 * 2 ** 20 }) {
    this.changed = changed;
    this.most = most;
    this.bytes = bytes;
    this.kept = new Map(); // address -> picture, the longest unused first
    this.running = new Map(); // address -> what gives it up
    this.urgent = new Set();
    this.wanted = [];
    this.used = 0;
    this.largest = 0;
  }

  // A picture that is here: {bitmap, width, height, range, note}, or {error}.
  get(address) {
    return this.kept.get(address);
  }

  get isIdle() {
    return this.running.size === 0 && !this.wanted.some((one) => this.isToFetch(one));
  }

  // From now on these are wanted, the most urgent first: `urgent` are looked at, `later` may be soon.
  want(urgent, later) {
    for (const one of urgent) {
      if (!this.urgent.has(one) && this.kept.get(one)?.error) this.kept.delete(one); // another try
    }
    this.urgent = new Set(urgent);
    this.wanted = [...new Set([...urgent, ...later])];
    const wanted = new Set(this.wanted);
    for (const [one, controller] of this.running) if (!wanted.has(one)) controller.abort();
    for (const one of this.wanted.toReversed()) this.touch(one);
    this.start();
  }

  touch(address) {
    const one = this.kept.get(address);
    if (!one) return;
    this.kept.delete(address);
    this.kept.set(address, one);
  }

  isToFetch(address) {
    if (this.kept.has(address) || this.running.has(address)) return false;
    return this.urgent.has(address) || this.hasRoom();
  }

  // Whether one more neighbor has room beside all that is wanted.
  hasRoom() {
    if (this.used + this.largest <= this.bytes) return true;
    const wanted = new Set(this.wanted);
    let free = 0;
    for (const [address, one] of this.kept) if (!wanted.has(address)) free += one.size;
    return this.used - free + this.largest <= this.bytes;
  }

  start() {
    for (const one of this.wanted) {
      if (this.running.size >= (this.urgent.has(one) ? ALL : this.most)) return;
      if (this.isToFetch(one)) this.fetch(one);
    }
  }

  async fetch(address) {
    const controller = new AbortController();
    this.running.set(address, controller);
    const one = await load(address, controller.signal);
    if (this.running.get(address) === controller) this.running.delete(address);
    if (controller.signal.aborted) one.bitmap?.close();
    else this.keep(address, one);
    this.start();
    this.changed();
  }

  keep(address, one) {
    this.kept.set(address, one);
    this.used += one.size;
    this.largest = Math.max(this.largest, one.size);
    const wanted = new Set(this.wanted);
    for (const [oldest, other] of this.kept) {
      if (this.used <= this.bytes) return;
      if (wanted.has(oldest)) continue;
      this.kept.delete(oldest);
      this.used -= other.size;
      other.bitmap?.close();
    }
  }
}

async function load(address, signal) {
  try {
    const answer = await fetch(address, { signal });
    if (!answer.ok) return { error: await reason(answer), size: 0 };
    const bitmap = await createImageBitmap(await answer.blob(), {
      colorSpaceConversion: "none",
      premultiplyAlpha: "default",
    });
    const { width, height } = bitmap;
    const range = rangeOf(answer);
    const note = decoded(answer.headers.get("X-Zarrange-Note"));
    return { bitmap, width, height, range, note, size: width * height * BYTES_OF_PIXEL };
  } catch (error) {
    return { error: signal.aborted ? "given up" : `The server does not answer (${error.message}).`, size: 0 };
  }
}

// The range of values that a picture, or any other answer, is drawn in; null where there is none.
export function rangeOf(answer) {
  const [low, high] = (answer.headers.get("X-Zarrange-Range") ?? "").split(",").map(Number.parseFloat);
  return Number.isFinite(low) && Number.isFinite(high) ? [low, high] : null;
}

// Why an answer is none.
export async function reason(answer) {
  try {
    const said = await answer.json();
    return String(said.error ?? answer.statusText);
  } catch {
    return `The server says ${answer.status}.`;
  }
}

function decoded(text) {
  try {
    return text ? decodeURIComponent(text) : "";
  } catch {
    return text;
  }
}
