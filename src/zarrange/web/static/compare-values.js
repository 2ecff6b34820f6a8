// Values: what an array has where the pointer is. Small tiles of a plane are read, and a few of them kept.

import { reason } from "./compare-pictures.js";

const TILE = 64;
const KEPT = 256;

export class Values {
  // `changed` is called when values have come.
  constructor(changed) {
    this.changed = changed;
    this.tiles = new Map(); // address -> {at} | {error}, the longest unused first
    this.running = new Map();
    this.wanted = new Map();
    this.timer = 0;
  }

  // Ask for places, {path, cut, y, x, height, width}, and return what is known of each: a text, or null.
  read(places) {
    const tiles = places.map((place) => place && tileOf(place));
    this.wanted = new Map(tiles.filter(Boolean).map((tile) => [tile.address, tile]));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.start(), 40);
    return tiles.map((tile, index) => tile && this.known(tile, places[index]));
  }

  known(tile, place) {
    const found = this.tiles.get(tile.address);
    if (!found) return null;
    this.tiles.delete(tile.address);
    this.tiles.set(tile.address, found);
    return found.error ? "?" : found.at(place.y - tile.y0, place.x - tile.x0);
  }

  start() {
    for (const [address, controller] of this.running) {
      if (!this.wanted.has(address)) controller.abort();
    }
    for (const address of this.wanted.keys()) {
      if (!this.tiles.has(address) && !this.running.has(address)) this.fetch(address);
    }
  }

  async fetch(address) {
    const controller = new AbortController();
    this.running.set(address, controller);
    const tile = await load(address, controller.signal);
    if (this.running.get(address) === controller) this.running.delete(address);
    if (controller.signal.aborted) return;
    this.tiles.set(address, tile);
    if (this.tiles.size > KEPT) this.tiles.delete(this.tiles.keys().next().value);
    this.changed();
  }
}

function tileOf({ address, cut, y, x, height, width }) {
  const [y0, x0] = [y - (y % TILE), x - (x % TILE)];
  const region = `@${y0}:${Math.min(y0 + TILE, height)},${x0}:${Math.min(x0 + TILE, width)}`;
  return { address: `${address}?${new URLSearchParams({ cut: cut + region })}`, y0, x0 };
}

async function load(address, signal) {
  try {
    const answer = await fetch(address, { signal });
    if (!answer.ok) return { error: await reason(answer) };
    const width = Number(answer.headers.get("X-Zarrange-Shape").split(",")[1]);
    const read = reader(answer.headers.get("X-Zarrange-Dtype"), new DataView(await answer.arrayBuffer()));
    return { at: (y, x) => read(y * width + x) };
  } catch (error) {
    return { error: error.message };
  }
}

const METHODS = {
  int8: [1, "getInt8"],
  uint8: [1, "getUint8"],
  int16: [2, "getInt16"],
  uint16: [2, "getUint16"],
  int32: [4, "getInt32"],
  uint32: [4, "getUint32"],
  int64: [8, "getBigInt64"],
  uint64: [8, "getBigUint64"],
  float32: [4, "getFloat32"],
  float64: [8, "getFloat64"],
};

// What reads one value of many, as text. Exact for integers; floats with as many digits as they have.
function reader(dtype, view) {
  if (dtype === "bool") return (index) => (view.getUint8(index) ? "true" : "false");
  if (dtype === "float16") return (index) => short(half(view.getUint16(2 * index, true)), 4);
  const [size, method] = METHODS[dtype];
  const digits = { float32: 6, float64: 9 }[dtype];
  return (index) => {
    const value = view[method](size * index, true);
    return digits ? short(value, digits) : String(value);
  };
}

export function short(value, digits = 4) {
  return Number.isFinite(value) ? String(Number(value.toPrecision(digits))) : String(value);
}

function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : (sign * 2 ** -14 * fraction) / 1024;
}
