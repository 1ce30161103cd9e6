/** Decoding a group of pictures, frame by frame. */
import type { Description } from "./description.js";
import { HstError } from "./errors.js";
import { RATE, TRUST, squashTable, stretchTable } from "./maths.js";
import { bitsOf, fitting } from "./models.js";
import type { PictureModel, RowModel, Tables } from "./models.js";
import { Blake } from "./native.js";
import type { Native } from "./native.js";
import type { GopParts } from "./parts.js";
import { LiveColours, Packets } from "./live.js";
import { trueColour } from "./colours.js";
import { sceneMaker } from "./scene.js";
import type { SceneMaker } from "./scene.js";

export const DECODE = 1, LIMIT = 15, SPEED = 6; // as in kernel.py

export interface Frame {
  pixels: Uint8Array; // [height, width] palette indices, or [height, width, 3]
  number: number; // the recorder's
  memory: Uint8Array | null;
  buttons: Uint8Array | null;
}

/** Constant tables in the memory of a module. */
export class Maths {
  private static readonly made = new WeakMap<Native, Maths>();
  readonly places: number[];

  private constructor(native: Native) {
    const squash = squashTable();
    this.places = [stretchTable(squash), squash, RATE, TRUST].map((table) => native.copyIn(table));
  }

  static of(native: Native): Maths {
    let maths = this.made.get(native);
    if (!maths) this.made.set(native, (maths = new Maths(native)));
    return maths;
  }
}

/** Memory that is freed at once. */
export class Held {
  private places: number[] = [];

  constructor(readonly native: Native) {}

  in(data: Parameters<Native["copyIn"]>[0]): number {
    return this.keep(this.native.copyIn(data));
  }

  take(size: number): number {
    const at = this.keep(this.native.take(size));
    this.native.bytes.fill(0, at, at + size);
    return at;
  }

  free(): void {
    this.native.free(...this.places);
    this.places = [];
  }

  private keep(at: number): number {
    this.places.push(at);
    return at;
  }
}

/** Rows of bytes: memory or buttons. Known so far: those at `at`. */
export class Rows {
  readonly at: number;
  private open: number;

  constructor(private readonly held: Held, data: Uint8Array, private readonly frames: number, readonly size: number,
    side: { at: number; size: number }, model: RowModel) {
    this.at = held.take(frames * size);
    const own = [held.in(model.order), held.in(model.partners), held.in(model.start), held.in(model.slots)];
    const weights = [bitsOf(model.slots), held.in(model.own), held.in(model.shared)];
    const { lines } = model;
    const later = !lines ? [0, 0, 0, 0, 0, 0, 0, 0] : [
      ...[lines.firstPartners, lines.linePartners, lines.lineOwn, lines.lineShared, lines.cells].map((part) => held.in(part)),
      ...[bitsOf(lines.cells), held.in(lines.guessOwn), held.in(lines.guessShared)],
    ];
    this.open = held.native.calls.hst_rows_open(DECODE, this.at, BigInt(frames), BigInt(size), side.at, BigInt(side.size),
      ...own, ...weights, ...later, model.version, ...Maths.of(held.native).places, LIMIT, SPEED, held.in(data), BigInt(data.length)); // prettier-ignore
    held.native.check(this.open);
  }

  next(): void {
    this.held.native.calls.hst_rows_next(this.open);
  }

  /** Read from packets from now on. */
  share(coder: number): void {
    this.held.native.calls.hst_rows_share(this.open, coder);
  }

  row(t: number): Uint8Array {
    return this.held.native.bytes.slice(this.at + t * this.size, this.at + (t + 1) * this.size);
  }

  /** `whole`: all of it was decoded. Throws HstError where bytes are left over. */
  close(whole: boolean): void {
    if (!this.open) return;
    const result = this.held.native.calls.hst_rows_close(this.open);
    this.open = 0;
    if (whole) this.held.native.check(result);
  }

  /** Of the first `frames` rows. */
  bytes(frames: number): number {
    return Math.min(frames, this.frames) * this.size;
  }
}

/** Pictures of palette indices, or of true colour. */
export interface Pictures {
  /** Decode picture `t` to where `at` says, knowing its memory. */
  next(t: number, memory: Uint8Array | null): void;
  readonly at: number;
  close(whole: boolean): void;
}

export class PalettePictures implements Pictures {
  readonly at: number;
  private open: number;
  private readonly scene: SceneMaker | null;
  private readonly tiles: number;
  private readonly corners: number;
  private readonly sprites: number;
  private readonly look: number;
  private readonly hints: number;

  constructor(private readonly held: Held, data: Uint8Array, private readonly d: Description, frames: number, model: PictureModel) {
    const native = held.native;
    this.scene = sceneMaker(d).make?.() ?? null;
    const shape = this.scene?.shape ?? { layout: [], cells: 0, sprites: 0, size: 0 };
    const layers = shape.layout.length / 3;
    this.at = held.take(d.height * d.width);
    const sizes = held.in(BigInt64Array.of(...[layers, shape.cells, shape.sprites, shape.size].map(BigInt)));
    this.tiles = held.take(2 * frames * shape.cells);
    this.corners = held.take(4 * frames * layers);
    this.sprites = held.take(8 * frames * shape.sprites);
    this.look = held.take(8 * frames);
    this.hints = held.take(frames);
    const drawn = [sizes, held.in(Int32Array.from(shape.layout)), this.tiles, this.corners, this.sprites, this.look, this.hints];
    const tables = [held.in(model.slots), bitsOf(model.slots), held.in(model.cells), bitsOf(model.cells), held.in(model.sources)];
    const weights = [held.in(model.flag), held.in(model.pixel), held.in(model.escape), model.quiet ? held.in(model.quiet) : 0, model.version];
    this.open = native.calls.hst_pictures_open(DECODE, BigInt(d.height), BigInt(d.width), ...drawn, ...tables, ...weights,
      ...Maths.of(native).places, LIMIT, SPEED, held.in(data), BigInt(data.length)); // prettier-ignore
    native.check(this.open);
  }

  /** From now on look for what is drawn in the last `count` pictures. */
  lookBack(count: number, bits: number): void {
    this.held.native.check(this.held.native.calls.hst_pictures_look_back(this.open, BigInt(count), bits));
  }

  next(t: number, memory: Uint8Array | null): void {
    const native = this.held.native;
    if (this.scene && memory) {
      const scene = this.scene.next(memory), buffer = native.calls.memory.buffer;
      const [y, x] = this.d.corner;
      for (let i = 0; i < scene.corners.length; i += 2) (scene.corners[i]! -= x), (scene.corners[i + 1]! -= y);
      for (let i = 0; i < scene.sprites.length; i += 4) (scene.sprites[i]! -= x), (scene.sprites[i + 1]! -= y);
      const put = (at: number, part: Int16Array) => new Int16Array(buffer, at + t * part.byteLength, part.length).set(part);
      put(this.tiles, scene.tiles);
      put(this.corners, scene.corners);
      put(this.sprites, scene.sprites);
      new Uint32Array(buffer, this.look + 8 * t, 2).set(scene.look);
      native.bytes[this.hints + t] = scene.hint;
    }
    native.check(native.calls.hst_pictures_next(this.open, this.at));
  }

  /** Read from packets from now on. */
  share(coder: number): void {
    this.held.native.calls.hst_pictures_share(this.open, coder);
  }

  close(whole: boolean): void {
    if (!this.open) return;
    const result = this.held.native.calls.hst_pictures_close(this.open);
    this.open = 0;
    if (whole) this.held.native.check(result);
  }
}

/** A group being decoded. Throws HstError where a stream is missing or makes no sense; `free` ends it. */
export class GroupDecoder {
  private readonly held: Held;
  private readonly blake: Blake;
  private buttons: Rows | null = null;
  private memory: Rows | null = null;
  private pictures: Pictures | null = null;
  private packets: Packets | null = null;
  private readonly beginning: Generator<undefined>;
  private t = 0;

  constructor(native: Native, tables: Tables, private readonly d: Description, readonly frames: number, private readonly parts: GopParts, whole = true) {
    this.held = new Held(native);
    this.blake = new Blake(native);
    this.beginning = this.begin(tables);
    if (whole) while (this.prepare());
  }

  /** Do a part of what is to be done before the first frame; whether there is more. Throws HstError. */
  prepare(): boolean {
    try {
      return !this.beginning.next().done;
    } catch (error) {
      this.free();
      throw error;
    }
  }

  /** A group whose packets are still to come, at most as many as the description says; `prepare` may be called before. */
  static coming(native: Native, tables: Tables, d: Description): GroupDecoder {
    const parts = { numbers: new Int32Array(d.gop), streams: new Map([["LIVE", new Uint8Array(0)]]), digest: new Uint8Array(0) };
    return new GroupDecoder(native, tables, d, d.gop, parts, false);
  }

  /** The frame of the next packet of such a group, which has this number. */
  add(packet: Uint8Array, number: number): Frame {
    if (this.done) throw new HstError(`this group has its ${this.frames} frames`);
    while (this.prepare());
    this.parts.numbers[this.t] = number;
    this.packets!.add(packet);
    return this.next();
  }

  /** Throws HstError where the frames so far are not what was sent. */
  compare(digest: Uint8Array): void {
    this.hash(digest, this.t);
  }

  get done(): boolean {
    return this.t === this.frames;
  }

  /** The next frame; behind the last one the content's hash was compared. */
  next(): Frame {
    const { d, held, t } = this, native = held.native, size = d.height * d.width * d.channels;
    this.packets?.begin(t);
    if (this.packets) this.buttons?.next();
    this.memory?.next();
    const memory = this.memory?.row(t) ?? null;
    this.pictures!.next(t, memory);
    this.packets?.end();
    this.blake.add(this.pictures!.at, size);
    const pixels = native.bytes.slice(this.pictures!.at, this.pictures!.at + size);
    this.t++;
    if (this.done) this.finish();
    return { pixels, number: this.parts.numbers[t]!, memory, buttons: this.buttons?.row(t) ?? null };
  }

  free(): void {
    for (const part of [this.buttons, this.memory, this.pictures]) part?.close(false);
    this.packets?.free();
    this.held.free();
    this.blake.free();
  }

  private *begin(tables: Tables): Generator<undefined> {
    const { d, frames, held } = this, streams = this.parts.streams;
    const live = d.profile === "live";
    const picture = d.channels === 3 && streams.has("COLR") ? "COLR" : "PICT";
    const wanted = live ? ["LIVE"] : [picture, ...(d.state ? ["STAT"] : []), ...(d.actions ? ["ACTN"] : [])].sort();
    if ([...streams.keys()].sort().join() !== wanted.join()) throw new HstError(`streams ${[...streams.keys()].join(", ")} instead of ${wanted.join(", ")}`);
    const none = { at: 0, size: 0 }, { version } = tables.pictures;
    const data = (name: string): Uint8Array => (live ? new Uint8Array(0) : streams.get(name)!);
    if (d.actions) this.buttons = new Rows(held, data("ACTN"), frames, d.actions, none, fitting(tables.actions, d.actions, 0, version));
    if (this.buttons && !live) {
      for (let t = 0; t < frames; t++) this.buttons.next();
      this.buttons.close(true);
    }
    yield;
    if (d.state) this.memory = new Rows(held, data("STAT"), frames, d.state, this.buttons ?? none, fitting(tables.state, d.state, d.actions, version));
    yield;
    if (live) this.packets = new Packets(held, streams.get("LIVE")!, frames, d.channels === 3);
    const colours = d.channels === 3;
    if (this.packets && colours) this.pictures = new LiveColours(held, d, this.packets);
    else this.pictures = colours ? trueColour(held, data(picture), d, frames, picture === "COLR") : new PalettePictures(held, data("PICT"), d, frames, tables.pictures);
    for (const part of [this.buttons, this.memory, this.pictures]) if (this.packets && (part instanceof Rows || part instanceof PalettePictures)) part.share(this.packets.coder);
  }

  private finish(): void {
    this.memory?.close(true);
    this.pictures!.close(true);
    if (this.parts.digest.length) this.hash(this.parts.digest, this.frames);
  }

  private hash(digest: Uint8Array, frames: number): void {
    for (const rows of [this.memory, this.buttons]) if (rows) this.blake.add(rows.at, rows.bytes(frames));
    this.blake.add(this.held.in(this.parts.numbers), 4 * frames);
    const found = this.blake.end();
    if (found.some((byte, i) => byte !== digest[i])) throw new HstError("a group has other content than it states");
  }
}
