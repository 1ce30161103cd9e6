/** Before and after, what differs, and how sure it is: two pictures, the upper one as far as the slider says. */
import { at } from "./words.js";

export interface Shown {
  number: number;
  name: string;
  parts: string[];
}
export interface Names {
  views: Record<string, string>;
  hints: Record<string, string>;
  before: string;
  after: string;
}

/** What lies below and above in each view: parts of a shown frame. */
const PAIRS: Record<string, [string, string]> = { restored: ["before", "after"], error: ["after", "error"], confidence: ["after", "confidence"] };

export class Compare {
  private frames: Shown[] = [];
  private from = "";
  private whole: "video" | "img" | "" = "";

  constructor(private readonly names: Names) {
    at("slider").addEventListener("input", () => this.slide());
    at("view").addEventListener("change", () => this.draw());
    at("frame").addEventListener("input", () => this.draw());
  }

  /**
   * Show a result.
   * @param from - address of its parts
   * @param frames - those that the server has made pictures of; none: input and result are shown themselves
   * @param whole - as what browsers show input and result, if they do
   */
  open(from: string, frames: Shown[], whole: "video" | "img" | ""): void {
    [this.frames, this.from, this.whole] = [frames, from, whole];
    const parts = new Set(frames.flatMap((frame) => frame.parts));
    const views = Object.keys(PAIRS).filter((view) => PAIRS[view]!.every((part) => parts.has(part)));
    if (whole || !views.length) views.unshift("whole");
    at("view").replaceChildren(...views.map((view) => new Option(this.names.views[view], view)));
    at("views").hidden = views.length < 2 && frames.length < 2;
    const slider = at<HTMLInputElement>("frame");
    [slider.max, slider.value] = [String(Math.max(frames.length - 1, 0)), String(frames.length >> 1)];
    this.draw();
  }

  private draw(): void {
    const view = at<HTMLSelectElement>("view").value;
    const frame = this.frames[Number(at<HTMLInputElement>("frame").value)];
    const whole = view === "whole" || !frame;
    at("frameRow").hidden = whole || this.frames.length < 2;
    at("frameName").textContent = frame?.name ?? "";
    at("viewHint").textContent = whole ? "" : (this.names.hints[view] ?? "");
    const [below, above] = whole ? ["input", "result"] : PAIRS[view]!.map((part) => `${String(frame.number).padStart(3, "0")}-${part}`);
    const [one, other] = [this.made(below!, whole), this.made(above!, whole)];
    if (one instanceof HTMLVideoElement && other instanceof HTMLVideoElement)
      other.addEventListener("timeupdate", () => {
        if (Math.abs(one.currentTime - other.currentTime) > 0.05) one.currentTime = other.currentTime;
      });
    at("compare").replaceChildren(one, other);
    at("before").textContent = view === "restored" || whole ? this.names.before : this.names.after;
    at("after").textContent = view === "restored" || whole ? this.names.after : this.names.views[view]!;
    this.slide();
  }

  private made(part: string, whole: boolean): HTMLElement {
    const element = document.createElement((whole && this.whole) || "img");
    element.src = `${this.from}/${part}?${Date.now()}`;
    element.setAttribute("aria-label", part);
    if (element instanceof HTMLVideoElement) element.muted = element.loop = element.autoplay = element.playsInline = true;
    return element;
  }

  private slide(): void {
    const above = at("compare").lastElementChild as HTMLElement | null;
    if (above) above.style.clipPath = `inset(0 0 0 ${at<HTMLInputElement>("slider").value}%)`;
  }
}
