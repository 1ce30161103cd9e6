/** Where the bytes of a file come from: memory, or a server that is asked for the parts that are needed. */
import { HstError } from "./errors.js";

export interface Source {
  /** Of the file, bytes. */
  readonly size: number;
  /** Bytes from `start` to `end`, both inside of the file. Throws HstError. */
  read(start: number, end: number): Promise<Uint8Array>;
}

export class MemorySource implements Source {
  constructor(private readonly data: Uint8Array) {}

  get size(): number {
    return this.data.length;
  }

  async read(start: number, end: number): Promise<Uint8Array> {
    return this.data.subarray(start, end);
  }
}

const BLOCK = 1 << 16;
const KEPT = 256; // blocks

/** A file behind a URL, read by range requests. */
class HttpSource implements Source {
  private readonly blocks = new Map<number, Uint8Array>();

  constructor(
    private readonly url: string,
    readonly size: number,
    private readonly tag: string,
    first: Uint8Array,
  ) {
    this.keep(0, first);
  }

  async read(start: number, end: number): Promise<Uint8Array> {
    const first = Math.floor(start / BLOCK);
    const last = Math.floor(Math.max(end - 1, start) / BLOCK);
    const pieces: Uint8Array[] = [];
    for (let at = first; at <= last; at++) {
      let upto = at;
      while (upto <= last && !this.blocks.has(upto)) upto++;
      if (upto > at) {
        const from = at * BLOCK;
        const part = await this.fetch(from, Math.min(upto * BLOCK, this.size));
        pieces.push(part.subarray(0, Math.min(upto * BLOCK, this.size) - from));
        this.keep(from, part);
        at = upto - 1;
      } else {
        pieces.push(this.blocks.get(at)!);
      }
    }
    const all = pieces.length === 1 ? pieces[0]! : joined(pieces);
    return all.subarray(start - first * BLOCK, end - first * BLOCK);
  }

  private keep(from: number, data: Uint8Array): void {
    for (let at = 0; at < data.length; at += BLOCK) {
      const whole = at + BLOCK <= data.length || from + data.length === this.size;
      if (whole) this.blocks.set((from + at) / BLOCK, data.slice(at, at + BLOCK));
    }
    for (const oldest of this.blocks.keys()) {
      if (this.blocks.size <= KEPT) break;
      this.blocks.delete(oldest);
    }
  }

  private async fetch(start: number, end: number): Promise<Uint8Array> {
    const headers: Record<string, string> = { Range: `bytes=${start}-${end - 1}` };
    const response = await request(this.url, headers);
    const total = response.status === 206 ? totalOf(response) : -1;
    if (total !== this.size || (response.headers.get("etag") ?? "") !== this.tag)
      throw new HstError(`${this.url}: has changed while it was played: load it again`);
    const data = new Uint8Array(await response.arrayBuffer());
    if (data.length !== end - start) throw new HstError(`${this.url}: the server sent ${data.length} bytes instead of ${end - start}`);
    return data;
  }
}

/** The file at a URL; whole in memory where the server knows no range requests. Throws HstError. */
export async function openUrl(url: string): Promise<Source> {
  const response = await request(url, { Range: `bytes=0-${BLOCK - 1}` });
  if (response.status === 416) throw new HstError(`${url}: is empty`);
  const data = new Uint8Array(await response.arrayBuffer());
  if (response.status !== 206) return new MemorySource(data);
  const total = totalOf(response);
  if (data.length !== Math.min(total, BLOCK)) throw new HstError(`${url}: the server sent ${data.length} bytes instead of ${Math.min(total, BLOCK)}`);
  return total === data.length ? new MemorySource(data) : new HttpSource(url, total, response.headers.get("etag") ?? "", data);
}

async function request(url: string, headers: Record<string, string>): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { headers });
  } catch (error) {
    throw new HstError(`${url}: cannot be reached (${(error as Error).message})`);
  }
  if (!response.ok && response.status !== 416) throw new HstError(`${url}: the server answers ${response.status} ${response.statusText}`.trim());
  return response;
}

function totalOf(response: Response): number {
  const found = /^bytes \d+-\d+\/(\d+)$/.exec(response.headers.get("content-range") ?? "");
  if (!found) throw new HstError(`${response.url}: the server does not say how long the file is`);
  return Number(found[1]);
}

function joined(pieces: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}
