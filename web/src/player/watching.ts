/** Watches a stream, in the worker: decodes what comes, connects again when the connection is lost. */
import { HstError, StreamDecoder } from "../decoder/main.js";
import type { Shelf } from "../decoder/main.js";
import type { Answer, LiveStatus } from "./messages.js";

const GONE_AFTER = 850; // ms of silence, then the connection is taken for lost
const LOOK_EVERY = 100; // ms
const TELL_EVERY = 250; // ms
const LATEST = 700; // ms that what has arrived may wait to be decoded, then all before the newest group is left out
const RETRY = [100, 200, 400, 800, 1500]; // ms
const FINAL = new Set([4400, 4401]); // codes after which it is no use to try again
const GROUP = 2, FRAME = 3, DESCRIPTION = 1; // kinds of messages

interface Arrived {
  data: Uint8Array;
  when: number;
}

export class Watching {
  private socket: WebSocket | null = null;
  private decoder: StreamDecoder | null = null;
  private queue: Arrived[] = [];
  private busy = false;
  private stopped = false;
  private heard = 0;
  private tries = 0;
  private told = "";
  private toldAt = 0;
  private index = -1;
  private epoch = 0;
  private readonly look = setInterval(() => this.beat(), LOOK_EVERY);
  private readonly recent: { when: number; bytes: number }[] = [];
  private readonly status: LiveStatus = {
    connected: false, source: true, kbit: 0, decodeMs: 0, waitMs: 0, jumps: 0, missed: 0, groups: 0, connections: 0, why: "", statistics: {},
  };

  constructor(private readonly serial: number, private readonly url: string, private readonly shelf: Promise<Shelf>, private readonly answer: (answer: Answer) => void) {
    this.connect();
  }

  stop(): void {
    this.stopped = true;
    clearInterval(this.look);
    this.socket?.close();
    this.decoder?.free();
  }

  private connect(): void {
    if (this.stopped) return;
    const at = this.decoder?.at ?? { epoch: 0, group: 0, frames: 0 };
    const socket = new WebSocket(`${this.url}?epoch=${at.epoch}&group=${at.group}&frames=${at.frames}`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.heard = performance.now();
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
      if (this.socket !== socket) return;
      const when = performance.now();
      if (!this.status.connected) this.status.connections++;
      Object.assign(this.status, { connected: true, why: "" });
      this.heard = when;
      this.tries = 0;
      this.recent.push({ when, bytes: data.byteLength + 2 });
      this.queue.push({ data: new Uint8Array(data), when });
      if (!this.busy) void this.work();
    };
    socket.onclose = ({ code, reason }) => {
      if (this.socket === socket) this.lost(reason || "the connection was lost", FINAL.has(code));
    };
  }

  private lost(why: string, final: boolean): void {
    this.socket?.close();
    this.socket = null;
    Object.assign(this.status, { connected: false, why });
    if (final) {
      this.stop();
      this.answer({ kind: "error", serial: this.serial, message: why });
    } else if (!this.stopped) {
      this.tell();
      setTimeout(() => this.connect(), RETRY[Math.min(this.tries++, RETRY.length - 1)]);
    }
  }

  private beat(): void {
    const now = performance.now();
    if (this.socket && now - this.heard > GONE_AFTER) this.lost("the server has fallen silent", false);
    if (now - this.toldAt < TELL_EVERY) return;
    this.toldAt = now;
    this.acknowledge();
    this.tell();
  }

  private acknowledge(): void {
    const place = this.decoder ? Object.values(this.decoder.at).join() : "";
    if (!this.decoder || place === this.told || this.socket?.readyState !== WebSocket.OPEN) return;
    this.told = place;
    this.socket.send(this.decoder.acknowledgement() as Uint8Array<ArrayBuffer>);
  }

  private tell(): void {
    const now = performance.now();
    while (this.recent.length && now - this.recent[0]!.when > 2000) this.recent.shift();
    this.status.kbit = (this.recent.reduce((sum, { bytes }) => sum + bytes, 0) * 8) / 2000;
    if (this.decoder) {
      const { source, missed, compared, statistics } = this.decoder;
      Object.assign(this.status, { source, missed, groups: compared, statistics });
    }
    this.answer({ kind: "live", serial: this.serial, status: { ...this.status } });
  }

  private async work(): Promise<void> {
    this.busy = true;
    try {
      this.decoder ??= new StreamDecoder(await this.shelf);
      while (this.queue.length && !this.stopped) {
        this.hurry();
        await this.step(this.queue.shift()!);
        if (!this.queue.length) await this.decoder.prepare();
      }
    } finally {
      this.busy = false;
    }
  }

  /** Where too much waits, go on with the newest group. */
  private hurry(): void {
    if (performance.now() - this.queue[0]!.when < LATEST) return;
    const newest = this.queue.map(({ data }) => data[0]).lastIndexOf(GROUP);
    if (newest <= 0) return;
    const kept = this.queue.slice(0, newest).filter(({ data }) => data[0] !== FRAME && data[0] !== GROUP && data[0] !== 4);
    if (kept.length < newest) this.status.jumps++;
    this.queue = [...kept, ...this.queue.slice(newest)];
  }

  private async step({ data, when }: Arrived): Promise<void> {
    const decoder = this.decoder!, start = performance.now();
    try {
      const frame = await decoder.take(data);
      if (data[0] === DESCRIPTION) this.opened();
      if (!frame) return;
      const now = performance.now();
      this.status.waitMs += (start - when - this.status.waitMs) / 16;
      this.status.decodeMs += (now - start - this.status.decodeMs) / 16;
      this.index++;
      const more = this.queue.filter(({ data: next }) => next[0] === FRAME).length;
      if (more >= 2) frame.video?.close();
      else this.answer({ kind: "frame", serial: this.serial, episode: this.epoch, index: this.index, ...frame });
    } catch (error) {
      if (!(error instanceof HstError)) throw error;
      this.status.why = error.message;
    }
  }

  private opened(): void {
    const d = this.decoder!.description!;
    this.epoch++;
    this.index = -1;
    const info = {
      ...{ name: d.name, game: d.game, level: d.level, outcome: d.outcome, fps: d.fps, frames: 0, lost: 0 },
      video: d.profile === "h264",
      ...{ height: d.height, width: d.width, palette: d.palette, hasMemory: d.state > 0, hasButtons: d.actions > 0 },
    };
    this.answer({ kind: "session", serial: this.serial, episode: this.epoch, info });
  }
}
