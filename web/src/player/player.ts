/**
 * <hst-player src="session.hst" autoplay loop>: plays a .hst file.
 *
 * Attributes: src; tables (folder of the tables, default: beside this module); autoplay; loop; speed; lang (en, ko);
 * renderer="2d" (no WebGL). Events: hst-open, hst-frame (detail: episode, index, number), hst-error (detail: message).
 */
import { Clock } from "./clock.js";
import { Controls } from "./controls.js";
import { painter } from "./drawing.js";
import type { Painter } from "./drawing.js";
import { listenToKeys, listenToTouch } from "./input.js";
import type { Answer, EpisodeInfo, FrameMessage, Order } from "./messages.js";
import { ButtonPanel, StatePanel, element, savePicture } from "./panels.js";
import { STYLE } from "./style.js";
import { textsOf } from "./texts.js";

const AHEAD = 24; // frames that are asked for before they are due
const KEPT = 96; // frames that are at hand here

function worker(): Worker {
  const url = new URL("hst-worker.js", import.meta.url);
  if (url.origin === location.origin) return new Worker(url, { type: "module" });
  const text = `import ${JSON.stringify(url.href)};`; // workers of other origins are refused, modules of theirs are not
  return new Worker(URL.createObjectURL(new Blob([text], { type: "text/javascript" })), { type: "module" });
}

export class HstPlayer extends HTMLElement {
  static readonly observedAttributes = ["src", "loop", "speed"];

  private readonly texts = textsOf(this.lang || document.documentElement.lang || navigator.language);
  private readonly canvas = element("canvas");
  private readonly message = element("p", "message");
  private readonly state = new StatePanel(this.texts);
  private readonly pad = new ButtonPanel(this.texts);
  private readonly controls: Controls;
  private readonly clock = new Clock();
  private readonly frames = new Map<number, FrameMessage>();
  private readonly broken = new Map<number, string>();
  private worker: Worker | null = null;
  private painter: Painter | null = null;
  private serial = 0;
  private infos: EpisodeInfo[] = [];
  private chosen = 0;
  private shown: FrameMessage | null = null;
  private target = 0; // the frame that is to be shown
  private asked = ""; // what the worker was asked for last
  private running = false;
  private tick = 0;

  constructor() {
    super();
    this.controls = new Controls(this.texts, {
      toggle: () => this.toggle(),
      step: (frames) => this.step(frames),
      seek: (frame) => this.seek(frame),
      speed: (times) => this.setAttribute("speed", String(times)),
      flip: (what) => this.flip(what),
      save: () => this.save(),
      episode: (number) => this.choose(number),
    });
    const screen = element("div", "screen");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", this.texts.screen);
    this.message.setAttribute("role", "status");
    this.state.root.hidden = this.pad.root.hidden = true;
    screen.append(this.canvas, this.state.root, this.message);
    const root = this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    root.append(screen, this.pad.root, this.controls.root);
    listenToKeys(this);
    listenToTouch(this, screen, this.state.root);
  }

  connectedCallback(): void {
    if (!this.hasAttribute("tabindex")) this.tabIndex = 0;
    if (!this.hasAttribute("role")) this.setAttribute("role", "region");
    if (!this.hasAttribute("aria-label")) this.setAttribute("aria-label", this.texts.player);
    if (!this.worker) this.open();
  }

  disconnectedCallback(): void {
    this.pause();
    this.worker?.terminate();
    this.worker = null;
  }

  attributeChangedCallback(name: string, _: string | null, value: string | null): void {
    if (name === "src" && this.isConnected) this.open();
    if (name === "loop") this.controls.setSwitch("loop", value !== null);
    if (name === "speed") {
      this.clock.speed = Math.min(Math.max(Number(value) || 1, 0.01), 16);
      this.controls.setSpeed(this.clock.speed);
    }
  }

  /** What the file says of its episodes. */
  get episodes(): readonly EpisodeInfo[] {
    return this.infos;
  }

  /** Position of the episode that is played. */
  get episode(): number {
    return this.chosen;
  }

  /** Position of the frame that is shown; -1 before the first. */
  get frame(): number {
    return this.shown?.index ?? -1;
  }

  /** Position of the frame that is to be shown, though it may not be there yet. */
  get aim(): number {
    return this.target;
  }

  /** Frames of the episode that is played. */
  get length(): number {
    return this.infos[this.chosen]?.frames ?? 0;
  }

  get playing(): boolean {
    return this.running;
  }

  /** How pictures are drawn: "webgl" or "2d". */
  get drawnBy(): string {
    return this.painter?.kind ?? "";
  }

  play(): void {
    if (this.running || !this.infos.length) return;
    if (this.target >= this.length - 1) this.moveTo(0);
    this.running = true;
    this.controls.setPlaying(true);
    this.clock.start(performance.now());
    this.tick = requestAnimationFrame((now) => this.run(now));
  }

  pause(): void {
    this.running = false;
    cancelAnimationFrame(this.tick);
    this.controls.setPlaying(false);
  }

  toggle(): void {
    if (this.running) this.pause();
    else this.play();
  }

  seek(frame: number): void {
    this.moveTo(Math.min(Math.max(Math.round(frame), 0), this.length - 1));
  }

  step(frames: number): void {
    this.pause();
    this.seek(this.target + frames);
  }

  choose(episode: number): void {
    if (!this.infos[episode]) return;
    this.chosen = episode;
    this.frames.clear();
    this.broken.clear();
    const { fps, height, width, hasButtons, lost } = this.infos[episode];
    this.clock.rate = fps;
    const canvas = element("canvas");
    for (const name of ["role", "aria-label"]) canvas.setAttribute(name, this.canvas.getAttribute(name)!);
    this.screenCanvas.replaceWith(canvas);
    this.painter = painter(canvas, width, height, this.getAttribute("renderer") === "2d");
    canvas.addEventListener("webglcontextlost", () => this.choose(this.chosen));
    this.controls.setEpisodes(this.infos, episode);
    if (!hasButtons) this.pad.root.hidden = true;
    this.say(lost ? `${lost.toLocaleString()} ${this.texts.lost}` : "");
    this.shown = null;
    this.moveTo(0);
  }

  /** Save the frame that is shown as a PNG file, in its own size. */
  save(): void {
    if (this.shown) savePicture(this.screenCanvas, this.shown, this.infos[this.chosen]!.name);
  }

  private get screenCanvas(): HTMLCanvasElement {
    return this.shadowRoot!.querySelector("canvas")!;
  }

  private open(): void {
    this.pause();
    this.infos = [];
    this.frames.clear();
    this.broken.clear();
    this.shown = null;
    this.serial++;
    const src = this.getAttribute("src");
    if (!src) return;
    this.say(this.texts.loading);
    if (!this.worker) {
      this.worker = worker();
      this.worker.onmessage = ({ data }: MessageEvent<Answer>) => this.answered(data);
      this.worker.onerror = (event) => this.fail(event.message || "the decoder cannot be loaded");
    }
    const beside = new URL(".", import.meta.url);
    const tables = new URL(this.getAttribute("tables") ?? new URL("tables/", beside).href, document.baseURI).href;
    const kernel = new URL("hst-kernel.wasm", beside).href;
    this.post({ kind: "open", serial: this.serial, src: new URL(src, document.baseURI).href, tables, kernel });
  }

  private post(order: Order): void {
    this.worker?.postMessage(order);
  }

  private answered(answer: Answer): void {
    if (answer.serial !== this.serial) return;
    if (answer.kind === "opened") {
      this.infos = answer.episodes;
      this.choose(0);
      if (answer.damaged.length) this.say(`${this.texts.damaged}: ${answer.damaged.slice(0, 3).join("; ")}`);
      this.dispatchEvent(new CustomEvent("hst-open", { detail: { episodes: this.infos } }));
      if (this.hasAttribute("autoplay")) this.play();
    } else if (answer.kind === "frame") {
      if (answer.episode !== this.chosen) return;
      this.frames.set(answer.index, answer);
      if (this.frames.size > KEPT) this.forget();
      if (answer.index === this.target) this.show();
    } else if (answer.first === undefined) {
      this.fail(answer.message);
    } else if (answer.episode === this.chosen) {
      for (let i = answer.first; i <= answer.last!; i++) this.broken.set(i, answer.message);
      if (this.broken.has(this.target)) this.fail(answer.message);
    }
  }

  /** Let go of the frames that are farthest from what is shown, counted onward. */
  private forget(): void {
    const away = (index: number) => (index - this.target + this.length + AHEAD) % this.length;
    const farthest = [...this.frames.keys()].reduce((a, b) => (away(a) >= away(b) ? a : b));
    this.frames.delete(farthest);
  }

  private run(now: number): void {
    if (!this.running) return;
    let most = this.clock.frame; // the last frame that is there without a gap
    while (most + 1 < this.length && this.frames.has(most + 1)) most++;
    if (this.broken.has(most + 1)) {
      this.fail(this.broken.get(most + 1)!);
      return;
    }
    const due = this.clock.run(now, most);
    if (due !== this.target) {
      this.target = due;
      this.show();
      this.ask();
    } else if (due === this.length - 1 && this.frames.has(due)) {
      if (this.hasAttribute("loop")) this.moveTo(0);
      else this.pause();
    }
    if (this.running) this.tick = requestAnimationFrame((later) => this.run(later));
  }

  private moveTo(frame: number): void {
    this.target = Math.max(frame, 0);
    this.clock.moveTo(this.target);
    this.controls.setFrame(this.target, this.length);
    if (this.broken.has(this.target)) this.fail(this.broken.get(this.target)!);
    else this.show();
    this.ask();
  }

  /** Ask the worker for what is to be shown next and is not here. */
  private ask(): void {
    const frames: number[] = [];
    for (let k = 0; k < Math.min(AHEAD, this.length); k++) {
      const index = (this.target + k) % this.length;
      if (!this.frames.has(index) && !this.broken.has(index)) frames.push(index);
    }
    const asked = `${this.serial} ${this.chosen} ${frames.join()}`;
    if (frames.length && asked !== this.asked) this.post({ kind: "want", serial: this.serial, episode: this.chosen, frames });
    this.asked = asked;
  }

  private show(): void {
    const frame = this.frames.get(this.target), info = this.infos[this.chosen];
    if (!frame || !info || !this.painter) return;
    this.painter.draw(frame.pixels, info.palette);
    this.shown = frame;
    if (this.message.textContent === this.texts.loading || this.message.classList.contains("error")) this.say("");
    if (!this.state.root.hidden) this.state.show(info.game, frame.memory);
    if (!this.pad.root.hidden) this.pad.show(info.game, frame.buttons);
    this.controls.setFrame(frame.index, this.length);
    const detail = { episode: frame.episode, index: frame.index, number: frame.number };
    this.dispatchEvent(new CustomEvent("hst-frame", { detail }));
  }

  /** Switch looping, or one of the panels, on or off. */
  flip(what: "loop" | "state" | "buttons"): void {
    if (what === "loop") {
      this.toggleAttribute("loop");
      return;
    }
    const panel = what === "state" ? this.state.root : this.pad.root;
    panel.hidden = !panel.hidden;
    this.controls.setSwitch(what, !panel.hidden);
    this.show();
  }

  private say(text: string): void {
    this.message.classList.remove("error");
    this.message.textContent = text;
  }

  private fail(text: string): void {
    this.pause();
    this.message.classList.add("error");
    this.message.textContent = text;
    this.dispatchEvent(new CustomEvent("hst-error", { detail: { message: text } }));
  }
}

if (!customElements.get("hst-player")) customElements.define("hst-player", HstPlayer);

declare global {
  interface HTMLElementTagNameMap {
    "hst-player": HstPlayer;
  }
}
