// A panel: one kind of array of one run, as it is at the place that all panels show.
// Places are those of the first panel ("shared"); each panel knows where its own pixels lie among them.

const MARK = "#ff3d9a";
const PART = 2048; // pixels a side that are asked for of a plane that is too large
const STRIDE = 512;

// What part of the shared plane is seen: `zoom` 1 shows all of `extent`, [y0, x0, y1, x1]; `at` is in the middle.
export class View {
  constructor(extent, zoom = 1, at = null) {
    this.extent = extent;
    this.most = Math.max(8, Math.max(extent[2] - extent[0], extent[3] - extent[1]) / 4);
    this.set(zoom, at);
  }

  get middle() {
    const [y0, x0, y1, x1] = this.extent;
    return [(y0 + y1) / 2, (x0 + x1) / 2];
  }

  set(zoom, at) {
    this.zoom = Math.min(this.most, Math.max(1, zoom));
    const [y0, x0, y1, x1] = this.extent;
    const [y, x] = at ?? this.middle;
    // What fits as a whole stays in the middle; else its middle stays inside.
    this.at = this.zoom === 1 ? this.middle : [clamp(y, y0, y1), clamp(x, x0, x1)];
  }

  // Pixels of a canvas for each shared one.
  scale(canvas) {
    const [y0, x0, y1, x1] = this.extent;
    return this.zoom * Math.min(canvas.height / (y1 - y0), canvas.width / (x1 - x0));
  }

  // The shared place, [y, x], at a point of a canvas, in pixels of the canvas.
  placeAt(canvas, top, left) {
    const scale = this.scale(canvas);
    return [this.at[0] + (top - canvas.height / 2) / scale, this.at[1] + (left - canvas.width / 2) / scale];
  }

  // Zoom so that a shared place stays where it is.
  zoomAbout(factor, place) {
    const zoom = Math.min(this.most, Math.max(1, this.zoom * factor));
    const ratio = this.zoom / zoom;
    this.set(zoom, [0, 1].map((axis) => place[axis] + (this.at[axis] - place[axis]) * ratio));
  }
}

export function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

export class Panel {
  constructor(element, data, run) {
    this.element = element;
    this.data = data;
    this.run = run;
    this.kind = data.kind;
    this.canvas = element.querySelector("canvas");
    this.context = this.canvas.getContext("2d");
    this.message = element.querySelector(".message");
    this.link = element.querySelector(".array");
    this.first = element.querySelector(".first");
    this.places = element.querySelector(".places");
    this.range = element.querySelector(".range");
    this.value = element.querySelector(".value");
    this.note = element.querySelector(".note");
    this.drawn = null;
  }

  get isShown() {
    return !this.element.hidden;
  }

  // Make the canvas as large as it is seen; says whether it was not.
  fit() {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    const height = Math.max(1, Math.round(this.canvas.clientHeight * ratio));
    if (this.canvas.width === width && this.canvas.height === height) return false;
    this.canvas.width = width;
    this.canvas.height = height;
    return true;
  }

  path(step) {
    return this.data.paths ? (this.data.paths[step] ?? null) : this.data.path;
  }

  // Where this panel is cut for a shared cut, as text; `null` where it ends before that.
  cut(shared) {
    const places = this.data.axes.map(({ name }) => [name, this.place(name, shared)]);
    return places.some(([, place]) => place === null) ? null : places.map((one) => one.join(":")).join(",");
  }

  place(name, shared) {
    const { factor, shift, size } = this.data.axes.find((one) => one.name === name);
    const place = Math.floor(factor * shared[name] + shift + 1e-9);
    return place >= 0 && place < size ? place : null;
  }

  // The part of a plane that is asked for, [y0, y1, x0, x1], around the middle of a view: all of it, null, but of a
  // plane that is too large for one picture.
  region(view, most) {
    const { plane } = this.data;
    if (!plane || plane.y.size * plane.x.size <= most) return null;
    const sides = ["y", "x"].map((name, axis) => {
      const { factor, shift, size } = plane[name];
      const middle = Math.round((factor * view.at[axis] + shift) / STRIDE) * STRIDE;
      const start = clamp(middle - PART / 2, 0, Math.max(0, size - PART));
      return [start, Math.min(size, start + PART)];
    });
    return sides.flat();
  }

  // This panel's own pixel, [y, x], at a shared place; `null` outside.
  pixel([y, x]) {
    const { plane } = this.data;
    if (!plane) return null;
    const pixel = [Math.floor(plane.y.factor * y + plane.y.shift), Math.floor(plane.x.factor * x + plane.x.shift)];
    const isInside = pixel[0] >= 0 && pixel[0] < plane.y.size && pixel[1] >= 0 && pixel[1] < plane.x.size;
    return isInside ? pixel : null;
  }

  // Draw what there is: `layers` are {panel, picture, region, opacity, isLabels}, the lowest first.
  draw(layers, view, pointer) {
    const { canvas, context } = this;
    context.clearRect(0, 0, canvas.width, canvas.height);
    for (const { panel, picture, region, opacity, isLabels } of layers) {
      const { plane } = panel.data;
      const [y0, , x0] = region ?? [0, 0, 0];
      const [height, width] = [picture.height / plane.y.factor, picture.width / plane.x.factor];
      const scale = view.scale(canvas);
      const top = canvas.height / 2 + ((y0 - plane.y.shift) / plane.y.factor - view.at[0]) * scale;
      const left = canvas.width / 2 + ((x0 - plane.x.shift) / plane.x.factor - view.at[1]) * scale;
      context.imageSmoothingEnabled = !isLabels && scale / plane.x.factor < 1;
      context.globalAlpha = opacity;
      context.drawImage(picture.bitmap, left, top, width * scale, height * scale);
    }
    context.globalAlpha = 1;
    if (pointer) this.mark(pointer, view);
  }

  // Mark the pixel at which all panels are read.
  mark(pointer, view) {
    const { canvas, context } = this;
    const scale = view.scale(canvas);
    const top = canvas.height / 2 + (Math.floor(pointer[0]) - view.at[0]) * scale;
    const left = canvas.width / 2 + (Math.floor(pointer[1]) - view.at[1]) * scale;
    const ratio = window.devicePixelRatio || 1;
    const size = Math.max(scale, 3 * ratio);
    const [y, x] = [top + scale / 2 - size / 2, left + scale / 2 - size / 2];
    context.lineWidth = ratio;
    context.strokeStyle = MARK;
    context.strokeRect(x - ratio / 2, y - ratio / 2, size + ratio, size + ratio);
  }

  // Say something in place of a picture; nothing where there is one.
  say(message) {
    if (this.message.textContent !== message) this.message.textContent = message;
    this.message.hidden = !message;
    this.element.classList.toggle("missing", Boolean(message));
    if (message) this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (message) this.begin();
  }

  // The picture that came with the page has done its part.
  begin() {
    this.first?.remove();
    this.first = null;
    this.canvas.hidden = false;
  }
}
