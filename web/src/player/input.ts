/** Keys and touches, as the player understands them. */
import { SPEEDS } from "./controls.js";
import type { HstPlayer } from "./player.js";

const FARTHEST = 300; // frames that a drag across the whole picture moves at the most

export function listenToKeys(player: HstPlayer): void {
  const second = () => Math.round(player.episodes[player.episode]?.fps ?? 1);
  const faster = (by: number) => {
    const speed = Number(player.getAttribute("speed") ?? 1), at = SPEEDS.findIndex((times) => times >= speed);
    player.setAttribute("speed", String(SPEEDS[Math.min(Math.max(at + by, 0), SPEEDS.length - 1)]));
  };
  const keys: Record<string, () => void> = {
    " ": () => player.toggle(),
    k: () => player.toggle(),
    ArrowLeft: () => player.step(-1),
    ArrowRight: () => player.step(1),
    ",": () => player.step(-1),
    ".": () => player.step(1),
    j: () => player.seek(player.aim - second()),
    l: () => player.seek(player.aim + second()),
    Home: () => player.seek(0),
    End: () => player.seek(player.length - 1),
    "<": () => faster(-1),
    ">": () => faster(1),
    r: () => player.flip("loop"),
    s: () => player.flip("state"),
    b: () => player.flip("buttons"),
    i: () => player.flip("figures"),
    p: () => player.save(),
  };
  player.addEventListener("keydown", (event) => {
    const inside = (event.composedPath()[0] as HTMLElement).tagName;
    const theirs = inside === "SELECT" || (inside === "BUTTON" && event.key === " ") || (inside === "INPUT" && event.key.length > 1);
    const found = keys[event.key];
    if (!found || theirs || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    found();
  });
}

/** A tap on the picture plays or stops; a sideways drag moves through the frames. */
export function listenToTouch(player: HstPlayer, screen: HTMLElement, except: HTMLElement): void {
  let from: { x: number; frame: number; moved: boolean } | null = null;
  screen.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.composedPath().includes(except)) return;
    from = { x: event.clientX, frame: player.aim, moved: false };
    screen.setPointerCapture(event.pointerId);
  });
  screen.addEventListener("pointermove", (event) => {
    if (!from || (Math.abs(event.clientX - from.x) < 8 && !from.moved)) return;
    if (!from.moved) player.pause();
    from.moved = true;
    player.seek(from.frame + ((event.clientX - from.x) / screen.clientWidth) * Math.min(player.length, FARTHEST));
  });
  screen.addEventListener("pointerup", () => {
    if (from && !from.moved) player.toggle();
    from = null;
  });
  screen.addEventListener("pointercancel", () => (from = null));
}
