/**
 * <hst-player src="session.hst" autoplay loop>: plays a .hst file; <hst-player live="live/NAME">: watches a stream.
 *
 * Attributes: src or live; tables (folder of the tables, default: beside this module); autoplay; loop; speed; lang (en, ko);
 * renderer (2d or webgl; default: what is quicker). Events: hst-open, hst-frame (detail: episode, index, number; of a stream latency, too), hst-live (detail: how
 * a stream goes, four times a second), hst-error (detail: message).
 */
import { Ahead } from "./ahead.js";
import { Clock } from "./clock.js";
import { Controls } from "./controls.js";
import type { Switch } from "./controls.js";
import { painter } from "./drawing.js";
import type { Painter } from "./drawing.js";
import { Figures } from "./figures.js";
import { listenToKeys, listenToTouch } from "./input.js";
import type { Answer, EpisodeInfo, FrameMessage, LiveStatus, Order } from "./messages.js";
import { ButtonPanel, StatePanel, element, savePicture } from "./panels.js";
import { STYLE } from "./style.js";
import { textsOf } from "./texts.js";

function worker(): Worker {
  const url = new URL("hst-worker.js", import.meta.url);
  if (url.origin === location.origin) return new Worker(url, { type: "module" });
  const text = `import ${JSON.stringify(url.href)};`; // workers of other origins are refused, modules of theirs are not
  return new Worker(URL.createObjectURL(new Blob([text], { type: "text/javascript" })), { type: "module" });
}

export class HstPlayer extends HTMLElement {
  static readonly observedAttributes = ["src", "live", "loop", "speed"];

  private readonly texts = textsOf(this.lang || document.documentElement.lang || navigator.language);
  private readonly canvas = element("canvas");
  private readonly message = element("p", "message");
  private readonly state = new StatePanel(this.texts);
  private readonly pad = new ButtonPanel(this.texts);
  private readonly figures = new Figures(this.texts);
  private readonly controls: Controls;
  private readonly clock = new Clock();
  private readonly ahead = new Ahead();
  private worker: Worker | null = null;
  private painter: Painter | null = null;
  private serial = 0;
  private infos: EpisodeInfo[] = [];
  private chosen = 0;
  private shown: FrameMessage | null = null;
  private target = 0; // the frame that is to be shown
  private running = false;
  private tick = 0;
  private session = 0; // of a stream, the one that is shown
  private stopped = false; // by whoever watches a stream

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
    screen.append(this.canvas, this.state.root, this.figures.root, this.message);
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
    if ((name === "src" || name === "live") && this.isConnected) this.open();
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

  /** Whether a stream is watched. */
  get live(): boolean {
    return this.hasAttribute("live");
  }

  /** Of a stream: ms between the capture of a frame and its drawing here, [median, p99], by the clocks of both. */
  get latency(): [number, number] {
    return this.figures.latency;
  }

  play(): void {
    if (this.live) {
      this.stopped = false;
      this.setRunning(this.infos.length > 0);
      return;
    }
    if (this.running || !this.infos.length) return;
    if (this.target >= this.length - 1) this.moveTo(0);
    this.setRunning(true);
    this.clock.start(performance.now());
    this.tick = requestAnimationFrame((now) => this.run(now));
  }

  pause(): void {
    this.stopped = this.live;
    cancelAnimationFrame(this.tick);
    this.setRunning(false);
  }

  private setRunning(running: boolean): void {
    this.running = running;
    this.controls.setPlaying(running);
  }

  toggle(): void {
    if (this.running) this.pause();
    else this.play();
  }

  seek(frame: number): void {
    if (!this.live) this.moveTo(Math.min(Math.max(Math.round(frame), 0), this.length - 1));
  }

  step(frames: number): void {
    if (this.live) return;
    this.pause();
    this.seek(this.target + frames);
  }

  choose(episode: number): void {
    if (!this.infos[episode]) return;
    this.chosen = episode;
    this.ahead.clear();
    const { fps, height, width, hasButtons, lost } = this.infos[episode];
    this.clock.rate = fps;
    const canvas = element("canvas");
    for (const name of ["role", "aria-label"]) canvas.setAttribute(name, this.canvas.getAttribute(name)!);
    this.screenCanvas.replaceWith(canvas);
    this.painter = painter(canvas, width, height, this.infos[episode]!.video ? "2d" : (this.getAttribute("renderer") ?? ""));
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
    const { live } = this, src = this.getAttribute(live ? "live" : "src");
    this.pause();
    this.infos = [];
    this.ahead.clear();
    this.shown = null;
    this.stopped = false;
    this.serial++;
    this.controls.setLive(live);
    if (!live && !this.figures.root.hidden) this.flip("figures");
    if (!src) return;
    this.say(live ? this.texts.connecting : this.texts.loading);
    if (!this.worker) {
      this.worker = worker();
      this.worker.onmessage = ({ data }: MessageEvent<Answer>) => this.answered(data);
      this.worker.onerror = (event) => this.fail(event.message || "the decoder cannot be loaded");
    }
    const beside = new URL(".", import.meta.url);
    const tables = new URL(this.getAttribute("tables") ?? new URL("tables/", beside).href, document.baseURI).href;
    const kernel = new URL("hst-kernel.wasm", beside).href;
    const at = new URL(src, document.baseURI);
    if (live) at.protocol = at.protocol.replace("http", "ws");
    this.post({ kind: live ? "watch" : "open", serial: this.serial, src: at.href, tables, kernel });
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
    } else if (answer.kind === "session") {
      this.infos = [answer.info];
      this.session = answer.episode;
      this.choose(0);
      if (!this.stopped) this.setRunning(true);
      this.dispatchEvent(new CustomEvent("hst-open", { detail: { episodes: this.infos } }));
    } else if (answer.kind === "live") {
      this.follow(answer.status);
    } else if (answer.kind === "frame" && this.live) {
      if (answer.episode === this.session && this.running) this.draw(answer);
      else answer.video?.close();
    } else if (answer.kind === "frame") {
      if (answer.episode !== this.chosen) return;
      this.ahead.put(answer, this.target, this.length);
      if (answer.index === this.target) this.show();
    } else if (answer.first === undefined) {
      this.fail(answer.message);
    } else if (answer.episode === this.chosen) {
      this.ahead.breaks(answer.first, answer.last!, answer.message);
      if (this.ahead.why(this.target) !== undefined) this.fail(answer.message);
    }
  }

  private follow(status: LiveStatus): void {
    const { texts } = this;
    const waiting = status.source ? "" : texts.away;
    this.say(status.connected ? status.why || waiting : `${texts.connecting} ${status.why}`);
    this.figures.show(status);
    this.dispatchEvent(new CustomEvent("hst-live", { detail: status }));
  }

  private run(now: number): void {
    if (!this.running) return;
    const most = this.ahead.reach(this.clock.frame, this.length), broken = this.ahead.why(most + 1);
    if (broken !== undefined) {
      this.fail(broken);
      return;
    }
    const due = this.clock.run(now, most);
    if (due !== this.target) {
      this.target = due;
      this.show();
      this.ask();
    } else if (due === this.length - 1 && this.ahead.get(due)) {
      if (this.hasAttribute("loop")) this.moveTo(0);
      else this.pause();
    }
    if (this.running) this.tick = requestAnimationFrame((later) => this.run(later));
  }

  private moveTo(frame: number): void {
    this.target = Math.max(frame, 0);
    this.clock.moveTo(this.target);
    this.controls.setFrame(this.target, this.length);
    const broken = this.ahead.why(this.target);
    if (broken !== undefined) this.fail(broken);
    else this.show();
    this.ask();
  }

  /** Ask the worker for what is to be shown next and is not here. */
  private ask(): void {
    const frames = this.ahead.wanted(this.target, this.length, `${this.serial} ${this.chosen}`);
    if (frames) this.post({ kind: "want", serial: this.serial, episode: this.chosen, frames });
  }

  private show(): void {
    const frame = this.ahead.get(this.target);
    if (frame) this.draw(frame);
  }

  private draw(frame: FrameMessage): void {
    const info = this.infos[this.chosen];
    if (!info || !this.painter) return;
    if (frame.video) {
      this.painter.show(frame.video);
      frame.video.close();
    } else {
      this.painter.draw(frame.pixels, info.palette);
    }
    this.shown = frame;
    if (this.message.textContent === this.texts.loading || this.message.classList.contains("error")) this.say("");
    this.tell();
    this.controls.setFrame(frame.index, this.length);
    const latency = frame.captured === undefined ? undefined : performance.timeOrigin + performance.now() - frame.captured;
    if (latency !== undefined) this.figures.drawn(latency);
    const detail = { episode: frame.episode, index: frame.index, number: frame.number, latency };
    this.dispatchEvent(new CustomEvent("hst-frame", { detail }));
  }

  /** Switch looping, or one of the panels, on or off. */
  flip(what: Switch): void {
    if (what === "loop") {
      this.toggleAttribute("loop");
      return;
    }
    if (what === "figures" && !this.live && this.figures.root.hidden) return;
    const panel = { state: this.state, buttons: this.pad, figures: this.figures }[what].root;
    panel.hidden = !panel.hidden;
    this.controls.setSwitch(what, !panel.hidden);
    this.tell();
  }

  /** Fill the panels with what is known of the frame that is shown. */
  private tell(): void {
    const frame = this.shown, info = this.infos[this.chosen];
    if (!frame || !info) return;
    if (!this.state.root.hidden) this.state.show(info.game, frame.memory);
    if (!this.pad.root.hidden) this.pad.show(info.game, frame.buttons);
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
  interface HTMLElementEventMap {
    "hst-live": CustomEvent<LiveStatus>;
  }
  interface HTMLElementTagNameMap {
    "hst-player": HstPlayer;
  }
}
