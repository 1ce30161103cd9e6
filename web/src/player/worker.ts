/** Decodes beside the page: what is wanted first, then what may be wanted next, frame by frame. */
import { HstError, HstReader, Native, Shelf, openUrl } from "../decoder/main.js";
import type { Frame } from "../decoder/group.js";
import type { Answer, FrameMessage, Order } from "./messages.js";
import { Watching } from "./watching.js";

const KEPT = 96 * 2 ** 20; // bytes of decoded frames
const AHEAD = 600; // frames that are decoded before anybody asks

/** The decoder's place: a group, and the frame it gives next. */
interface Running {
  episode: number;
  group: number;
  next: number;
  frames: AsyncGenerator<Frame>;
}

/** One file: its decoded frames, as many as fit. */
class Playing {
  private readonly kept = new Map<string, FrameMessage>();
  private readonly broken = new Map<string, string>(); // groups, and why
  private bytes = 0;
  private wanted: number[] = [];
  private from = 0; // where is being played
  private episode = 0;
  private running: Running | null = null;
  private busy = false;

  constructor(private readonly serial: number, private readonly reader: HstReader, private readonly answer: (answer: Answer) => void) {}

  want(episode: number, frames: number[]): void {
    this.episode = episode;
    this.wanted = [...frames];
    this.from = frames[0] ?? this.from;
    if (!this.busy) void this.work();
  }

  stop(): void {
    this.wanted = [];
    this.episode = -1;
  }

  private async work(): Promise<void> {
    this.busy = true;
    for (let target = this.nextTarget(); target !== null; target = this.nextTarget()) {
      await this.step(target);
      await pause();
    }
    await this.running?.frames.return(undefined);
    this.running = null;
    this.busy = false;
  }

  /** The frame to decode next, after what is there was sent; null: nothing to do. */
  private nextTarget(): number | null {
    const entry = this.reader.entries[this.episode];
    if (!entry) return null;
    while (this.wanted.length) {
      const index = this.wanted[0]!;
      const found = this.kept.get(`${this.episode}:${index}`);
      if (found) this.answer(found);
      else if (!this.tellBroken(this.episode, index)) return index;
      this.wanted.shift();
    }
    const { height, width, channels, state } = entry.description;
    const ahead = Math.min(entry.frames, AHEAD, Math.floor((KEPT * 0.75) / (height * width * channels + state)));
    for (let k = 1; k < ahead; k++) {
      const index = (this.from + k) % entry.frames;
      if (!this.kept.has(`${this.episode}:${index}`) && !this.broken.has(this.groupKey(this.episode, index))) return index;
    }
    return null;
  }

  private async step(target: number): Promise<void> {
    const episode = this.episode, entry = this.reader.entries[episode]!;
    const { group, first } = this.groupOf(episode, target);
    try {
      const running = this.running;
      if (!running || running.episode !== episode || running.group !== group || running.next > target) {
        await running?.frames.return(undefined);
        this.running = { episode, group, next: first, frames: this.reader.frames(entry, group) };
      }
      const { value } = await this.running!.frames.next();
      if (value) this.keep({ kind: "frame", serial: this.serial, episode, index: this.running!.next, ...value });
      this.running!.next++;
    } catch (error) {
      this.running = null;
      if (!(error instanceof HstError)) throw error;
      this.broken.set(this.groupKey(episode, target), error.message);
    }
  }

  private groupOf(episode: number, index: number): { group: number; first: number; frames: number } {
    const gops = this.reader.entries[episode]!.gops;
    let first = 0, group = 0;
    while (group < gops.length - 1 && first + gops[group]!.frames <= index) first += gops[group++]!.frames;
    return { group, first, frames: gops[group]!.frames };
  }

  private groupKey(episode: number, index: number): string {
    return `${episode}:${this.groupOf(episode, index).group}`;
  }

  private tellBroken(episode: number, index: number): boolean {
    const message = this.broken.get(this.groupKey(episode, index));
    if (message === undefined) return false;
    const { first, frames } = this.groupOf(episode, index);
    this.answer({ kind: "error", serial: this.serial, episode, first, last: first + frames - 1, message });
    return true;
  }

  private keep(frame: FrameMessage): void {
    const key = `${frame.episode}:${frame.index}`;
    if (!this.kept.has(key)) this.bytes += sizeOf(frame);
    this.kept.set(key, frame);
    for (const [oldest, old] of this.kept) {
      if (this.bytes <= KEPT || oldest === key) break;
      this.kept.delete(oldest);
      this.bytes -= sizeOf(old);
    }
  }
}

const sizeOf = (frame: FrameMessage): number => frame.pixels.length + (frame.memory?.length ?? 0);

/** Let messages in. */
const channel = new MessageChannel();
let resume: () => void = () => {};
channel.port1.onmessage = () => resume();
const pause = (): Promise<void> => new Promise((resolve) => ((resume = resolve), channel.port2.postMessage(0)));

const scope = self as unknown as { onmessage: (event: MessageEvent<Order>) => void; postMessage(answer: Answer, given?: Transferable[]): void };
let shelf: Promise<Shelf> | null = null;
let playing: Playing | null = null;
let watching: Watching | null = null;
let current = 0;

async function fetched(url: string): Promise<Uint8Array> {
  const response = await fetch(url).catch((error: Error) => {
    throw new HstError(`${url}: cannot be reached (${error.message})`);
  });
  if (!response.ok) throw new HstError(`${url}: the server answers ${response.status} ${response.statusText}`.trim());
  return new Uint8Array(await response.arrayBuffer());
}

async function makeShelf(order: Order & { kind: "open" | "watch" }): Promise<Shelf> {
  const native = await Native.load((await fetched(order.kernel)) as BufferSource);
  const url = (name: string, hash: string) => `${new URL(`${name}.tables`, order.tables).href}?${hash.slice(0, 16)}`;
  const store = async () => globalThis.caches?.open("hst-tables-1"); // unpacking takes longer than fetching
  return new Shelf(native, {
    file: (name, hash) => fetched(url(name, hash)),
    kept: async (name, hash) => {
      const found = await (await store().catch(() => undefined))?.match(url(name, hash));
      return found?.headers.get("hash") === hash ? new Uint8Array(await found.arrayBuffer()) : null;
    },
    keep: async (name, hash, raw) => (await store())?.put(url(name, hash), new Response(raw as BodyInit, { headers: { hash } })),
  });
}

function begin(order: Order & { kind: "open" | "watch" }): void {
  current = order.serial;
  playing?.stop();
  watching?.stop();
  playing = watching = null;
}

async function open(order: Order & { kind: "open" }): Promise<void> {
  begin(order);
  const source = openUrl(order.src); // at the same time as what decodes it
  source.catch(() => {});
  shelf ??= makeShelf(order);
  const reader = await HstReader.open(await shelf, await source);
  if (current !== order.serial) return;
  const warm = (await shelf).tablesOf(reader.entries[0]!.description);
  warm.catch(() => {}); // told when a frame is asked for
  const episodes = reader.entries.map(({ description: d, frames, lost }) => ({
    ...{ name: d.name, game: d.game, level: d.level, outcome: d.outcome, fps: d.fps, frames, lost },
    ...{ height: d.height, width: d.width, palette: d.palette, hasMemory: d.state > 0, hasButtons: d.actions > 0 },
  }));
  playing = new Playing(order.serial, reader, (answer) => scope.postMessage(answer));
  scope.postMessage({ kind: "opened", serial: order.serial, episodes, damaged: reader.contents.damaged });
}

scope.onmessage = ({ data: order }) => {
  if (order.kind === "want") {
    if (order.serial === current) playing?.want(order.episode, order.frames);
    return;
  }
  if (order.kind === "watch") {
    begin(order);
    shelf ??= makeShelf(order);
    shelf.catch((error: Error) => {
      shelf = null;
      scope.postMessage({ kind: "error", serial: order.serial, message: error.message });
    });
    watching = new Watching(order.serial, order.src, shelf, (answer) => {
      scope.postMessage(answer, answer.kind === "frame" && answer.video ? [answer.video] : []);
    });
    return;
  }
  open(order).catch((error: Error) => {
    if (!(error instanceof HstError)) shelf = null; // its memory may be in any state
    scope.postMessage({ kind: "error", serial: order.serial, message: error.message });
  });
};

self.addEventListener("unhandledrejection", (event) => {
  shelf = null;
  playing?.stop();
  watching?.stop();
  scope.postMessage({ kind: "error", serial: current, message: `the decoder stopped: ${String((event as PromiseRejectionEvent).reason)}` });
});
