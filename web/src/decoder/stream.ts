/** A stream while it goes on: messages in, frames out, with their hashes compared. As messages.py and watching.py. */
import { parseHeader, payloadOf, viewOf } from "./chunks.js";
import { unpackDescription } from "./description.js";
import type { Description } from "./description.js";
import { HstError } from "./errors.js";
import { GroupDecoder } from "./group.js";
import type { Frame } from "./group.js";
import { Blake } from "./native.js";
import type { Shelf } from "./shelf.js";
import { VideoGroup } from "./video.js";

export const KIND = { description: 1, group: 2, frame: 3, end: 4, finished: 5, statistics: 6, beat: 7, missed: 8, ack: 10 } as const;
const TICK = 0.064; // ms: in these a frame's time is counted from its group's

export interface LiveFrame extends Frame {
  captured: number; // ms since 1970, by the publisher's clock
  video?: VideoFrame; // instead of pixels; whoever takes it closes it
}

export interface Place {
  epoch: number;
  group: number;
  frames: number;
}

export class StreamDecoder {
  description: Description | null = null;
  statistics: Record<string, number | string> = {};
  outcome: string | null = null; // of a session that is over
  source = true; // whether somebody publishes
  missed = 0; // frames that the server left out, since this was too slow
  compared = 0; // groups whose hash was right
  private epoch = 0;
  private group = 0;
  private first = 0;
  private time = 0;
  private place = 0;
  private ended = false;
  private lost = true; // nothing can be decoded before the next group
  private decoder: GroupDecoder | null = null;
  private coming: GroupDecoder | null = null; // of the next group
  private video: VideoGroup | null = null;
  private packets: Blake | null = null; // of a group of video

  constructor(private readonly shelf: Shelf) {}

  /** How far this has come. */
  get at(): Place {
    return this.ended ? { epoch: this.epoch, group: this.group + 1, frames: 0 } : { epoch: this.epoch, group: this.group, frames: this.place };
  }

  /** The same, as it is told to the server. */
  acknowledgement(): Uint8Array {
    const { epoch, group, frames } = this.at, view = new DataView(new ArrayBuffer(11));
    view.setUint8(0, KIND.ack);
    view.setUint32(1, epoch, true);
    view.setUint32(5, group, true);
    view.setUint16(9, frames, true);
    return new Uint8Array(view.buffer);
  }

  /** The frame that a message brings, if it brings one. Throws HstError: damaged, or what decodes it is not here. */
  async take(message: Uint8Array): Promise<LiveFrame | null> {
    const view = viewOf(message), body = message.subarray(1);
    try {
      switch (message[0]) {
        case KIND.description:
          await this.describe(view.getUint32(1, true), body.subarray(4));
          return null;
        case KIND.group:
          return this.begin(view), null;
        case KIND.frame:
          return await this.decode(body);
        case KIND.end:
          return this.end(body), null;
        case KIND.finished:
          this.outcome = new TextDecoder().decode(body);
          return null;
        case KIND.statistics:
          this.statistics = JSON.parse(new TextDecoder().decode(body)) as Record<string, number | string>;
          return null;
        case KIND.beat:
          this.source = view.getUint8(9) !== 0;
          return null;
        case KIND.missed:
          this.missed += view.getUint32(1, true);
          return null;
        default:
          throw new HstError(`a message of kind ${message[0]}: is the server of another version?`);
      }
    } catch (error) {
      if (error instanceof RangeError || error instanceof SyntaxError) throw new HstError("a message that makes no sense");
      throw error;
    }
  }

  /** Do a part of what the next group needs before its first frame: to be called when nothing else is to be done. */
  async prepare(): Promise<void> {
    if (!this.description || this.place < 2 || this.description.profile !== "live") return;
    this.coming ??= GroupDecoder.coming(this.shelf.native, await this.shelf.tablesOf(this.description), this.description);
    this.coming.prepare();
  }

  free(): void {
    this.endGroup();
    this.coming?.free();
    this.video?.free();
    this.coming = this.video = null;
  }

  private endGroup(): void {
    this.decoder?.free();
    this.packets?.free();
    this.decoder = this.packets = null;
  }

  private async describe(epoch: number, chunk: Uint8Array): Promise<void> {
    this.free();
    const { native } = this.shelf;
    const header = parseHeader(native, chunk, 0, 0, chunk.length);
    const payload = header ? payloadOf(native, chunk, header) : null;
    if (!payload) throw new HstError("a damaged description");
    const description = unpackDescription(native, payload);
    if (description.profile === "h264") this.video = await VideoGroup.open(native, description);
    else if (description.profile !== "live") throw new HstError(`a stream of profile '${description.profile}' cannot be watched here`);
    else await this.shelf.tablesOf(description);
    Object.assign(this, { description, epoch, lost: true, outcome: null, group: 0, place: 0, ended: false });
  }

  private begin(view: DataView): void {
    this.endGroup();
    this.group = view.getUint32(1, true);
    this.first = view.getUint32(5, true);
    this.time = Number(view.getBigUint64(9, true)) / 1000;
    Object.assign(this, { place: 0, ended: false, lost: false });
  }

  private async decode(body: Uint8Array): Promise<LiveFrame | null> {
    if (!this.description) throw new HstError("a frame of a session that was not described");
    const { value: place, at } = varint(body, 0), { value: ticks, at: from } = varint(body, at);
    if (this.lost || place < this.place) return null;
    if (place > this.place) {
      this.lost = true;
      return null;
    }
    try {
      if (this.video) return await this.decodeVideo(body.subarray(from), this.video, this.time + ticks * TICK);
      if (!this.decoder) {
        this.decoder = this.coming ?? GroupDecoder.coming(this.shelf.native, await this.shelf.tablesOf(this.description), this.description);
        this.coming = null;
      }
      const frame = this.decoder.add(body.subarray(from), this.first + place);
      this.place++;
      return { ...frame, captured: this.time + ticks * TICK };
    } catch (error) {
      this.lost = true;
      this.endGroup();
      throw error;
    }
  }

  private async decodeVideo(packet: Uint8Array, video: VideoGroup, captured: number): Promise<LiveFrame> {
    if (!this.packets) this.packets = new Blake(this.shelf.native);
    const held = this.shelf.native.copyIn(packet);
    this.packets.add(held, packet.length);
    this.shelf.native.free(held);
    const found = await video.decode(packet, this.place);
    const number = this.first + this.place++;
    return { ...found, pixels: new Uint8Array(0), number, captured };
  }

  private end(digest: Uint8Array): void {
    if (this.lost || !(this.decoder ?? this.packets)) return;
    try {
      if (this.packets) {
        if (this.packets.end().some((byte, i) => byte !== digest[i])) throw new HstError("a group has other content than was sent");
      } else {
        this.decoder!.compare(digest);
      }
      this.ended = true;
      this.compared++;
    } catch (error) {
      this.lost = true;
      throw error;
    } finally {
      this.endGroup();
    }
  }
}

function varint(data: Uint8Array, at: number): { value: number; at: number } {
  for (let value = 0, times = 1; ; times *= 128) {
    const byte = data[at++];
    if (byte === undefined || times > 2 ** 28) throw new HstError("a number that is cut off");
    value += (byte & 127) * times;
    if (byte < 128) return { value, at };
  }
}
