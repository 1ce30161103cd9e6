/** How a stream goes, over the picture. */
import type { LiveStatus } from "./messages.js";
import { element } from "./panels.js";
import type { Texts } from "./texts.js";

const KEPT = 240; // frames whose latency is remembered

export class Figures {
  readonly root = element("pre", "figures");
  private readonly latencies: number[] = [];
  private times: number[] = [];

  constructor(private readonly texts: Texts) {
    this.root.hidden = true;
    this.root.setAttribute("role", "status");
    this.root.setAttribute("aria-label", texts.figures);
  }

  /** A frame was drawn, `latency` ms after it was captured. */
  drawn(latency: number): void {
    this.latencies.push(latency);
    if (this.latencies.length > KEPT) this.latencies.shift();
    this.times.push(performance.now());
    if (this.times.length > KEPT) this.times.shift();
  }

  /** Of the frames that were drawn last, in ms: [median, the slowest of a hundred]. */
  get latency(): [number, number] {
    const sorted = [...this.latencies].sort((a, b) => a - b);
    const at = (share: number): number => sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 1)] ?? 0;
    return [at(0.5), at(0.99)];
  }

  /** Frames a second. */
  get rate(): number {
    const [first, last] = [this.times[0] ?? 0, this.times.at(-1) ?? 0];
    return last > first ? ((this.times.length - 1) * 1000) / (last - first) : 0;
  }

  show(status: LiveStatus): void {
    if (this.root.hidden) return;
    const { texts } = this, [median, slow] = this.latency, { statistics } = status;
    const rows: [string, string][] = [
      [texts.latency, `${median.toFixed(0)} ms, p99 ${slow.toFixed(0)} ms`],
      [texts.stages, `${String(statistics.encode_ms ?? "?")} + ${status.waitMs.toFixed(1)} + ${status.decodeMs.toFixed(1)} ms`],
      [texts.rate, `${this.rate.toFixed(1)}/s, ${status.kbit.toFixed(1)} kbit/s`],
      [texts.viewers, String(statistics.viewers ?? "?")],
      [texts.leftOut, `${status.missed} + ${status.jumps}`],
      [texts.checked, String(status.groups)],
    ];
    this.root.textContent = rows.map(([name, value]) => `${name}: ${value}`).join("\n");
  }
}
