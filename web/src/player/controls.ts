/** The bar below the picture, with accessible names; it only tells what was asked for. */
import { element } from "./panels.js";
import type { EpisodeInfo } from "./messages.js";
import type { Texts } from "./texts.js";

// Outlines in a square of 24: letters that look like them are missing in many fonts.
const SIGNS = {
  play: "M7 4v16l13-8z",
  pause: "M6 4h4v16H6zM14 4h4v16h-4z",
  back: "M18 4v16L8 12zM5 4h3v16H5z",
  forward: "M6 4v16l10-8zM16 4h3v16h-3z",
  loop: "M7 7h9v3l5-4.500-5-4.500v3H5a2 2 0 0 0-2 2v6h3V7.500zM17 17H8v-3l-5 4.500 5 4.500v-3h11a2 2 0 0 0 2-2v-6h-3v5.500z",
  state: "M3 5h4v3H3zM9 5h12v3H9zM3 10.500h4v3H3zM9 10.500h12v3H9zM3 16h4v3H3zM9 16h12v3H9z",
  buttons: "M7 6h10a6 6 0 0 1 0 12c-2 0-3-2-5-2s-3 2-5 2A6 6 0 0 1 7 6zM6 9v2H4v2h2v2h2v-2h2v-2H8V9zM15 12.500h2v2h-2zM17.500 9.500h2v2h-2z",
  figures: "M4 20V10h3v10zM10.500 20V4h3v16zM17 20v-7h3v7z",
  save: "M11 3h2v9h3l-4 5-4-5h3zM4 18h16v3H4z",
};

function picture(sign: keyof typeof SIGNS): SVGSVGElement {
  const [svg, path] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  svg!.setAttribute("viewBox", "0 0 24 24");
  svg!.setAttribute("aria-hidden", "true");
  path!.setAttribute("d", SIGNS[sign]);
  path!.setAttribute("fill-rule", "evenodd");
  svg!.append(path!);
  return svg as SVGSVGElement;
}

export const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 4];

export type Switch = "loop" | "state" | "buttons" | "figures";

export interface Asked {
  toggle(): void;
  step(frames: number): void;
  seek(frame: number): void;
  speed(times: number): void;
  flip(what: Switch): void;
  save(): void;
  episode(number: number): void;
}

export class Controls {
  readonly root = element("div", "bar");
  private readonly play: HTMLButtonElement;
  private readonly slider = element("input");
  private readonly place = element("span", "place");
  private readonly speeds = element("select");
  private readonly episodes = element("select", "episode");
  private readonly switches: Record<Switch, HTMLButtonElement>;

  private readonly ofFiles: HTMLElement[]; // what a stream has no use for

  constructor(private readonly texts: Texts, asked: Asked) {
    this.play = this.button("play", texts.play, () => asked.toggle());
    const back = this.button("back", texts.back, () => asked.step(-1)), forward = this.button("forward", texts.forward, () => asked.step(1));
    this.slider.type = "range";
    this.slider.min = this.slider.value = this.slider.max = "0";
    this.slider.setAttribute("aria-label", texts.position);
    this.slider.addEventListener("input", () => asked.seek(Number(this.slider.value)));
    const position = element("span", "position");
    position.append(this.slider, this.place);
    this.speeds.setAttribute("aria-label", texts.speed);
    for (const times of SPEEDS) this.speeds.append(new Option(`×${times}`, String(times), times === 1, times === 1));
    this.speeds.addEventListener("change", () => asked.speed(Number(this.speeds.value)));
    this.episodes.setAttribute("aria-label", texts.episode);
    this.episodes.addEventListener("change", () => asked.episode(this.episodes.selectedIndex));
    this.episodes.hidden = true;
    this.switches = {
      loop: this.button("loop", texts.loop, () => asked.flip("loop"), true),
      state: this.button("state", texts.state, () => asked.flip("state"), true),
      buttons: this.button("buttons", texts.buttons, () => asked.flip("buttons"), true),
      figures: this.button("figures", texts.figures, () => asked.flip("figures"), true),
    };
    const save = this.button("save", texts.save, () => asked.save());
    this.ofFiles = [back, forward, this.slider, this.speeds, this.switches.loop];
    this.switches.figures.hidden = true;
    this.root.append(this.play, back, forward, position, this.speeds, ...Object.values(this.switches), save, this.episodes);
  }

  setPlaying(playing: boolean): void {
    this.play.replaceChildren(picture(playing ? "pause" : "play"));
    this.name(this.play, playing ? this.texts.pause : this.texts.play);
  }

  setSwitch(what: Switch, on: boolean): void {
    this.switches[what].setAttribute("aria-pressed", String(on));
  }

  setSpeed(times: number): void {
    this.speeds.value = String(times);
  }

  /** Whether a stream is watched. */
  setLive(live: boolean): void {
    for (const control of this.ofFiles) control.hidden = live;
    this.switches.figures.hidden = !live;
    this.place.classList.toggle("live", live);
  }

  /** `frames` 0: of a stream. */
  setFrame(frame: number, frames: number): void {
    const { texts } = this;
    if (!frames) {
      this.place.textContent = `${texts.live}  ${frame}`;
      return;
    }
    this.slider.max = String(Math.max(frames - 1, 0));
    this.slider.value = String(frame);
    this.slider.setAttribute("aria-valuetext", `${texts.frame} ${frame + 1} ${texts.of} ${frames}`);
    this.place.textContent = `${frame + 1} / ${frames}`;
  }

  setEpisodes(episodes: EpisodeInfo[], chosen: number): void {
    this.episodes.replaceChildren(...episodes.map(({ name, level }) => new Option(level ? `${name} (${level})` : name)));
    this.episodes.selectedIndex = chosen;
    this.episodes.hidden = episodes.length < 2;
  }

  private button(sign: keyof typeof SIGNS, name: string, press: () => void, isSwitch = false): HTMLButtonElement {
    const made = element("button");
    made.append(picture(sign));
    made.type = "button";
    this.name(made, name);
    if (isSwitch) made.setAttribute("aria-pressed", "false");
    made.addEventListener("click", press);
    return made;
  }

  private name(button: HTMLButtonElement, name: string): void {
    button.setAttribute("aria-label", name);
    button.title = name;
  }
}
