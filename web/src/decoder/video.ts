/** Frames of a stream of video, by the browser's own decoder; memory and buttons beside them. As video.py. */
import { viewOf } from "./chunks.js";
import type { Description } from "./description.js";
import { HstError } from "./errors.js";
import type { Native } from "./native.js";

const LATEST = 2000; // ms
const CHECK_BYTES = 2;

export interface VideoPicture {
  video: VideoFrame;
  memory: Uint8Array | null;
  buttons: Uint8Array | null;
}

export class VideoGroup {
  private readonly decoder: VideoDecoder;
  private memory: Uint8Array;
  private count = 0;
  private waiting: { done(frame: VideoFrame): void; fail(error: Error): void } | null = null;
  private broken: Error | null = null;

  private constructor(private readonly native: Native, private readonly d: Description) {
    this.memory = new Uint8Array(d.state);
    this.decoder = new VideoDecoder({
      output: (frame) => (this.waiting ? this.waiting.done(frame) : frame.close()),
      error: (error) => {
        this.broken = error;
        this.waiting?.fail(error);
      },
    });
  }

  /** Throws HstError: this browser decodes no such video. */
  static async open(native: Native, d: Description): Promise<VideoGroup> {
    const config: VideoDecoderConfig = { codec: d.tables, optimizeForLatency: true };
    if (typeof VideoDecoder === "undefined") throw new HstError("this browser has no WebCodecs, with which video streams are decoded");
    const { supported } = await VideoDecoder.isConfigSupported(config).catch(() => ({ supported: false }));
    if (!supported) throw new HstError(`this browser does not decode ${d.tables}`);
    const group = new VideoGroup(native, d);
    group.decoder.configure(config);
    return group;
  }

  /** The picture of the next packet. Throws HstError. */
  async decode(whole: Uint8Array, place: number): Promise<VideoPicture> {
    const end = whole.length - CHECK_BYTES, packet = whole.subarray(0, Math.max(end, 0)), first = place === 0;
    const stated = end >= 4 ? whole[end]! | (whole[end + 1]! << 8) : -1;
    if ((this.native.crc32(packet, place) & 0xffff) !== stated) throw new HstError(`damaged packet: it is not frame ${place} of its group as it was sent`);
    const size = viewOf(packet).getUint32(0, true), { state, actions } = this.d;
    if (4 + size > packet.length) throw new HstError("a packet that is cut off");
    let rows = new Uint8Array(0);
    if (state + actions) {
      rows = new Uint8Array(this.native.inflate(packet.subarray(4, 4 + size), state + actions).data);
      if (rows.length !== state + actions) throw new HstError("damaged memory");
    }
    if (first) this.memory = new Uint8Array(state);
    this.memory = this.memory.map((byte, i) => byte + rows[i]!); // modulo 256
    if (this.broken) {
      this.broken = null;
      throw new HstError("damaged video");
    }
    const data = packet.subarray(4 + size) as Uint8Array<ArrayBuffer>;
    const video = await new Promise<VideoFrame>((done, fail) => {
      const late = setTimeout(() => fail(new HstError("the video decoder does not answer")), LATEST);
      const then = <T>(what: (value: T) => void) => (value: T): void => {
        clearTimeout(late);
        this.waiting = null;
        what(value);
      };
      this.waiting = { done: then(done), fail: then((error: Error) => fail(new HstError(`damaged video (${error.message})`))) };
      this.decoder.decode(new EncodedVideoChunk({ type: first ? "key" : "delta", timestamp: this.count++, data }));
    });
    return { video, memory: state ? this.memory : null, buttons: actions ? rows.slice(state) : null };
  }

  free(): void {
    if (this.decoder.state !== "closed") this.decoder.close();
  }
}
