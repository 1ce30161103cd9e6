/** Groups of profile live: a packet for each frame. As live.py. */
import type { Description } from "./description.js";
import { HstError } from "./errors.js";
import type { Held, Pictures } from "./group.js";

const DECODE = 1, CHECK_BYTES = 2;

/** The packets of a group. Throws HstError for what is no such stream. */
export class Packets {
  readonly coder: number;
  colours: Uint8Array = new Uint8Array(0); // of the packet that is being read
  private readonly packets: Uint8Array[] = [];
  private place = 0;

  /** `frames`: of the group; those of one that is still coming are added later. */
  constructor(private readonly held: Held, stream: Uint8Array, frames: number, private readonly trueColour: boolean) {
    for (let at = 0; at < stream.length; ) {
      let length = 0, shift = 1, byte = 128;
      for (; byte >= 128; shift *= 128) {
        if (at === stream.length || shift > 2 ** 28) throw new HstError("damaged stream: a packet's length is cut off");
        byte = stream[at++]!;
        length += (byte & 127) * shift;
      }
      if (at + length > stream.length) throw new HstError("damaged stream: a packet is cut off");
      this.packets.push(stream.subarray(at, (at += length)));
    }
    if (stream.length && this.packets.length !== frames) throw new HstError(`damaged stream: ${this.packets.length} packets of ${frames} frames`);
    this.coder = held.native.calls.hst_packets_open();
    if (!this.coder) throw new HstError("no memory for one more group");
  }

  /** One more. */
  add(packet: Uint8Array): void {
    this.packets.push(packet);
  }

  /** Start reading packet `t`. Throws HstError where it is damaged. */
  begin(t: number): void {
    const { native } = this.held, packet = this.packets[t] ?? new Uint8Array(0), end = packet.length - CHECK_BYTES;
    const stated = end >= 0 ? packet[end]! | (packet[end + 1]! << 8) : -1;
    let payload = packet.subarray(0, Math.max(end, 0));
    if ((native.crc32(payload, t) & 0xffff) !== stated) throw new HstError(`damaged packet: it is not frame ${t} of its group as it was sent`);
    if (this.trueColour) {
      const length = payload.length < 4 ? payload.length : new DataView(payload.buffer, payload.byteOffset).getUint32(0, true);
      this.colours = payload.subarray(4 + length);
      payload = payload.subarray(4, 4 + length);
    }
    this.place = native.copyIn(payload);
    native.calls.hst_packets_begin(this.coder, DECODE, this.place, BigInt(payload.length));
  }

  /** Throws HstError where bytes are left over. */
  end(): void {
    const { native } = this.held;
    native.free(this.place);
    this.place = 0;
    native.check(native.calls.hst_packets_end(this.coder));
  }

  free(): void {
    this.held.native.free(this.place);
    this.held.native.calls.hst_packets_close(this.coder);
  }
}

/** True colour: the difference to the previous picture. */
export class LiveColours implements Pictures {
  readonly at: number;
  private readonly last: Uint8Array;

  constructor(private readonly held: Held, d: Description, private readonly packets: Packets) {
    this.last = new Uint8Array(d.height * d.width * 3);
    this.at = held.take(this.last.length);
  }

  next(): void {
    const { last, packets } = this;
    const { data, used } = this.held.native.inflate(packets.colours, last.length);
    if (data.length !== last.length || used !== packets.colours.length) throw new HstError("damaged packet: its colours are not those of a picture");
    for (let i = 0; i < last.length; i++) last[i]! += data[i]!; // modulo 256
    this.held.native.bytes.set(last, this.at);
  }

  close(): void {}
}
