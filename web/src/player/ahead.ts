/** The frames of a file that are at hand in the page, and which are to be asked for. */
import type { FrameMessage } from "./messages.js";

const AHEAD = 24; // frames that are asked for before they are due
const KEPT = 96; // frames that are at hand

export class Ahead {
  private readonly frames = new Map<number, FrameMessage>();
  private readonly broken = new Map<number, string>();
  private asked = "";

  clear(): void {
    this.frames.clear();
    this.broken.clear();
  }

  get(index: number): FrameMessage | undefined {
    return this.frames.get(index);
  }

  /** Why a frame cannot be shown; undefined = it can. */
  why(index: number): string | undefined {
    return this.broken.get(index);
  }

  /** Of `length` frames, one more; those that are farthest from `target`, counted onward, make room. */
  put(frame: FrameMessage, target: number, length: number): void {
    this.frames.set(frame.index, frame);
    if (this.frames.size <= KEPT) return;
    const away = (index: number): number => (index - target + length + AHEAD) % length;
    this.frames.delete([...this.frames.keys()].reduce((a, b) => (away(a) >= away(b) ? a : b)));
  }

  breaks(first: number, last: number, why: string): void {
    for (let i = first; i <= last; i++) this.broken.set(i, why);
  }

  /** The last frame from `from` on that is there without a gap. */
  reach(from: number, length: number): number {
    while (from + 1 < length && this.frames.has(from + 1)) from++;
    return from;
  }

  /** What is to be asked for; null = nothing, or it was the last thing that was. `of`: tells files and episodes apart. */
  wanted(target: number, length: number, of: string): number[] | null {
    const frames: number[] = [];
    for (let k = 0; k < Math.min(AHEAD, length); k++) {
      const index = (target + k) % length;
      if (!this.frames.has(index) && !this.broken.has(index)) frames.push(index);
    }
    const asked = `${of} ${frames.join()}`, again = asked === this.asked;
    this.asked = asked;
    return frames.length && !again ? frames : null;
  }
}
