/** Paints what is missing over a picture: rectangles and brush strokes, each of which can be taken back. */

export type Tool = "rectangle" | "brush" | "eraser";
type Point = [number, number];
interface Stroke {
  tool: Tool;
  size: number;
  points: Point[];
}

const COLOUR: [number, number, number] = [255, 0, 208];

/** A canvas with those pixels painted of which `hidden` is true, asked by their place in an ImageData. */
function painted(width: number, height: number, hidden: (i: number) => boolean): OffscreenCanvas {
  const made = new OffscreenCanvas(width, height);
  const pixels = new ImageData(width, height);
  for (let i = 0; i < pixels.data.length; i += 4) if (hidden(i)) pixels.data.set([...COLOUR, 255], i);
  made.getContext("2d")!.putImageData(pixels, 0, 0);
  return made;
}

export class Painter {
  tool: Tool = "rectangle";
  size = 12;
  /** Called when what is painted has changed. */
  changed = (): void => {};
  private strokes: Stroke[] = [];
  private base: CanvasImageSource | null = null;
  private drawing: Stroke | null = null;
  private readonly context: CanvasRenderingContext2D;

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.context = canvas.getContext("2d", { willReadFrequently: true })!;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      this.drawing = { tool: this.tool, size: this.size, points: [this.at(event)] };
      this.strokes.push(this.drawing);
      this.draw();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.drawing) return;
      this.drawing.points.push(this.at(event));
      this.draw();
    });
    for (const name of ["pointerup", "pointercancel"] as const)
      canvas.addEventListener(name, () => {
        if (this.drawing) this.changed();
        this.drawing = null;
      });
  }

  /** Begin anew, for a picture; what of it is transparent counts as painted. */
  open(picture: ImageData): void {
    const { width, height, data } = picture;
    [this.canvas.width, this.canvas.height] = [width, height];
    this.strokes = [];
    this.base = painted(width, height, (i) => data[i + 3]! < 128);
    this.draw();
  }

  get empty(): boolean {
    const { width, height } = this.canvas;
    const seen = this.context.getImageData(0, 0, width, height).data;
    for (let i = 3; i < seen.length; i += 4) if (seen[i]! > 127) return false;
    return true;
  }

  /** Paint a rectangle, in pixels. */
  hide(left: number, top: number, right: number, bottom: number): void {
    this.strokes.push({ tool: "rectangle", size: 1, points: [[left, top], [right, bottom]] });
    this.draw();
    this.changed();
  }

  undo(): void {
    if (!this.strokes.pop()) this.base = null;
    this.draw();
    this.changed();
  }

  clear(): void {
    this.strokes = [];
    this.base = null;
    this.draw();
    this.changed();
  }

  /** Take a mask in black and white; it must have the picture's size. */
  async load(file: Blob): Promise<void> {
    const picture = await createImageBitmap(file);
    const { width, height } = this.canvas;
    if (picture.width !== width || picture.height !== height) throw new Error(`${picture.width} × ${picture.height} ≠ ${width} × ${height}`);
    const context = new OffscreenCanvas(width, height).getContext("2d")!;
    context.drawImage(picture, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    this.strokes = [];
    this.base = painted(width, height, (i) => data[i]! + data[i + 1]! + data[i + 2]! >= 384 && data[i + 3]! > 127);
    this.draw();
    this.changed();
  }

  /** The mask as a PNG: white = missing. */
  save(): Promise<Blob> {
    const { width, height } = this.canvas;
    const seen = this.context.getImageData(0, 0, width, height);
    for (let i = 0; i < seen.data.length; i += 4) {
      const value = seen.data[i + 3]! > 127 ? 255 : 0;
      seen.data.set([value, value, value, 255], i);
    }
    const made = new OffscreenCanvas(width, height);
    made.getContext("2d")!.putImageData(seen, 0, 0);
    return made.convertToBlob({ type: "image/png" });
  }

  private at(event: PointerEvent): Point {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * this.canvas.width, ((event.clientY - box.top) / box.height) * this.canvas.height];
  }

  private draw(): void {
    const context = this.context;
    context.globalCompositeOperation = "source-over";
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (this.base) context.drawImage(this.base, 0, 0);
    context.fillStyle = context.strokeStyle = `rgb(${COLOUR.join(" ")})`;
    context.lineCap = context.lineJoin = "round";
    for (const { tool, size, points } of this.strokes) {
      const [x, y] = points[0]!;
      context.globalCompositeOperation = tool === "eraser" ? "destination-out" : "source-over";
      if (tool === "rectangle") {
        const [u, v] = points[points.length - 1]!;
        const [left, top] = [Math.floor(Math.min(x, u)), Math.floor(Math.min(y, v))];
        context.fillRect(left, top, Math.ceil(Math.max(x, u)) - left, Math.ceil(Math.max(y, v)) - top);
        continue;
      }
      context.lineWidth = size;
      context.beginPath();
      context.moveTo(x, y);
      for (const [u, v] of points) context.lineTo(u + 0.01, v);
      context.stroke();
    }
  }
}
