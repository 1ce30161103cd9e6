/** The page that restores: a picture, film or recording, what is missing of it, and before and after. */
import { Compare, type Shown } from "./compare.js";
import { Painter, type Tool } from "./painter.js";
import { at, korean, setLanguage } from "./words.js";

const ENGLISH = {
  title: "HST-MAE: restore",
  sessions: "Sessions",
  about: "Choose a picture, a film, a .hst file or an archive of a recording, and paint over what is missing or in the way. It is restored on this server; files are gone an hour after you last looked at them.",
  sample: "Try the sample session",
  tools: { rectangle: "Rectangle", brush: "Brush", eraser: "Eraser" },
  size: "Size",
  undo: "Undo",
  clear: "Clear",
  import: "Mask from file",
  export: "Save mask",
  find: "Take over what is found",
  detect: "find painted blocks in each frame",
  state: "game's memory",
  states: { full: "all of it (full)", compact: "objects and camera (compact)", none: "none" },
  hint: "What you paint is restored, in every frame at the same place.",
  looking: "The server looks at it…",
  looked: "{frames} frames of {width} × {height}, restored {why}.",
  noFrame: "This browser cannot show it.",
  modes: { psnr: "closest (least error)", exact: "sharp (likeliest colours)" },
  start: "Restore",
  stop: "Stop",
  sending: "Sending…",
  waiting: "Waiting: {ahead} before this one",
  running: "Restoring: {percent} %",
  done: "Done. {masked} pixels restored.",
  stopped: "Stopped.",
  failed: "It failed: {message}",
  nothing: "Paint what is missing first, or have it found.",
  views: { whole: "before and after", restored: "before and after, frame by frame", error: "difference", confidence: "how sure" },
  hints: {
    error: "How far the restoration is from what came in, enlarged: where what you painted over was known, this is its error. Black: none.",
    confidence: "White is certain, black is a guess.",
  },
  before: "before",
  after: "after",
  download: "Download",
  remove: "Remove from the server",
  removed: "Removed.",
  language: "한국어",
};
type Words = typeof ENGLISH;
const KOREAN: Words = {
  title: "HST-MAE: 복원",
  sessions: "세션",
  about: "그림, 동영상, .hst 파일, 녹화 압축 파일을 고르고, 사라졌거나 가려진 부분을 칠하세요. 복원은 이 서버에서 하며, 파일은 마지막으로 본 뒤 한 시간이 지나면 지워집니다.",
  sample: "예제 세션으로 해 보기",
  tools: { rectangle: "사각형", brush: "붓", eraser: "지우개" },
  size: "크기",
  undo: "되돌리기",
  clear: "모두 지우기",
  import: "마스크 파일 열기",
  export: "마스크 저장",
  find: "찾아낸 부분 가져오기",
  detect: "프레임마다 칠해진 블록 찾기",
  state: "게임 메모리",
  states: { full: "전부 (full)", compact: "물체와 카메라 (compact)", none: "쓰지 않음" },
  hint: "칠한 부분이 복원됩니다. 모든 프레임의 같은 자리입니다.",
  looking: "서버가 살펴보는 중…",
  looked: "{width} × {height} 프레임 {frames}개. {why}",
  noFrame: "이 브라우저는 이 파일을 보여 줄 수 없습니다.",
  modes: { psnr: "오차가 가장 적게", exact: "선명하게 (가장 그럴듯한 색)" },
  start: "복원",
  stop: "중지",
  sending: "보내는 중…",
  waiting: "대기 중: 앞에 {ahead}개",
  running: "복원 중: {percent} %",
  done: "끝났습니다. 픽셀 {masked}개를 복원했습니다.",
  stopped: "중지했습니다.",
  failed: "실패했습니다: {message}",
  nothing: "먼저 사라진 부분을 칠하거나 찾게 하세요.",
  views: { whole: "전과 후", restored: "프레임별 전과 후", error: "차이", confidence: "확신도" },
  hints: {
    error: "복원 결과와 원래 들어온 것의 차이를 키운 것입니다. 칠한 부분의 참값을 아는 경우 이것이 오차입니다. 검은색: 차이 없음.",
    confidence: "흰색은 확실, 검은색은 추측입니다.",
  },
  before: "전",
  after: "후",
  download: "내려받기",
  remove: "서버에서 지우기",
  removed: "지웠습니다.",
  language: "English",
};
const words = korean ? KOREAN : ENGLISH;
const FILMS = /\.(mp4|mov|mkv|webm|avi)$/i;
const PICTURES = /\.(png|jpe?g|bmp|webp|gif|apng)$/i;
const SAMPLE = [80, 100, 180, 160] as const; // what is hidden of the sample session: left, top, right, bottom
const ASK = 400; // ms between two questions how far it is

interface Told {
  stage: "new" | "waiting" | "running" | "done" | "failed" | "stopped";
  percent: number;
  message: string;
  ahead: number;
  film: boolean;
  result: string;
  summary?: { masked_pixels?: number };
  look?: { error: string } | Look;
  show?: { frames: Shown[] };
}
interface Look {
  error?: undefined;
  frames: number;
  width: number;
  height: number;
  state: boolean;
  found: boolean;
  why: string;
}

setLanguage(words.title, words.language);
for (const id of ["title", "sessions", "about", "sample", "undo", "clear", "export", "find", "hint", "start", "stop", "download", "remove"] as const)
  at(id).textContent = words[id];
at("sizeName").textContent = words.size;
at("importName").textContent = words.import;
at("stateName").textContent = words.state;
at("detectName").textContent = words.detect;
at<HTMLAnchorElement>("sessions").href = `./?lang=${korean ? "ko" : "en"}`;
for (const [id, names] of [["tool", words.tools], ["mode", words.modes], ["state", words.states]] as const)
  at(id).append(...Object.entries(names).map(([value, name]) => new Option(name, value)));
at("file").setAttribute("aria-label", words.title);
at("mask").setAttribute("aria-label", words.hint);

for (const [id, name] of [["view", words.views.restored], ["frame", words.views.restored], ["slider", words.views.whole]] as const) at(id).setAttribute("aria-label", name);

const painter = new Painter(at<HTMLCanvasElement>("mask"));
const compare = new Compare(words);
let file: File | null = null;
let job = location.hash.slice(1);
let sent = false; // whether the server has this file
let shown = 0; // which run of `watch` may write

function say(text: string, values: Record<string, unknown> = {}): void {
  at("status").textContent = text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const answer = await fetch(`restore${path}`, init);
  if (answer.ok) return answer;
  const told = (await answer.json().catch(() => null)) as { error?: string } | null;
  throw new Error(told?.error ?? `${answer.status} ${answer.statusText}`);
}

/** Run what was asked for, and say what went wrong. */
function press(id: string, what: () => unknown): void {
  at(id).addEventListener("click", () => void Promise.resolve().then(what).catch((error: Error) => say(words.failed, { message: error.message })));
}

/** A picture, or the first frame of a film, as far as this browser can show it. */
async function firstFrame(source: string, name: string): Promise<CanvasImageSource & { width: number; height: number }> {
  if (!FILMS.test(name)) {
    const picture = new Image();
    picture.src = source;
    await picture.decode();
    return createImageBitmap(picture);
  }
  const video = document.createElement("video");
  video.muted = true;
  video.preload = "auto";
  await new Promise<void>((resolve, reject) => {
    video.addEventListener("loadeddata", () => resolve(), { once: true });
    video.addEventListener("error", () => reject(new Error(words.noFrame)), { once: true });
    video.src = source;
  });
  return createImageBitmap(video);
}

/** Open a frame for painting. */
function open(frame: CanvasImageSource & { width: number; height: number }): void {
  const picture = at<HTMLCanvasElement>("picture");
  [picture.width, picture.height] = [frame.width, frame.height];
  const context = picture.getContext("2d", { willReadFrequently: true })!;
  context.drawImage(frame, 0, 0);
  painter.open(context.getImageData(0, 0, frame.width, frame.height));
  at("painting").hidden = false;
}

async function choose(chosen: File | undefined): Promise<void> {
  if (!chosen) return;
  const own = (shown += 1);
  file = chosen;
  sent = false;
  job = "";
  at("name").textContent = chosen.name;
  for (const id of ["done", "painting", "find", "stateRow"]) at(id).hidden = true;
  history.replaceState(null, "", location.pathname + location.search);
  say("");
  const seen = FILMS.test(chosen.name) || PICTURES.test(chosen.name);
  const frame = seen ? await firstFrame(URL.createObjectURL(chosen), chosen.name).catch(() => null) : null;
  if (frame && own === shown) open(frame);
  await send();
  await look(own, frame === null);
}

/** Hand the file to the server, unless it has it. */
async function send(): Promise<void> {
  if (sent || !file) return;
  say(words.sending);
  const answer = await ask(`?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
  job = ((await answer.json()) as { job: string }).job;
  history.replaceState(null, "", `#${job}`);
  sent = true;
  say("");
}

/** What the server says of the file; its frame is opened where the browser has none. */
async function look(own: number, blank: boolean): Promise<void> {
  if (blank) say(words.looking);
  for (let tries = 0; own === shown; tries += 1) {
    const told = (await (await ask(`/${job}`)).json()) as Told;
    if (own !== shown || (!told.look && !blank && tries > 400)) return;
    if (told.look?.error !== undefined) throw new Error(told.look.error);
    if (told.look) {
      at("stateRow").hidden = !told.look.state;
      at("find").hidden = !told.look.found;
      if (blank) open(await firstFrame(`restore/${job}/frame`, "frame.png"));
      if (told.stage === "new") say(words.looked, { ...told.look });
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, ASK));
  }
}

async function start(): Promise<void> {
  const detect = at<HTMLInputElement>("detect").checked;
  if (painter.empty && !detect) return say(words.nothing);
  at("done").hidden = true;
  await send();
  const mask = !painter.empty;
  if (mask) await ask(`/${job}/mask`, { method: "PUT", body: await painter.save() });
  const state = at("stateRow").hidden ? "auto" : at<HTMLSelectElement>("state").value;
  await ask(`/${job}/start`, { method: "POST", body: JSON.stringify({ mode: at<HTMLSelectElement>("mode").value, state, detect, mask }) });
  await watch();
}

/** Follow a job until it ends. */
async function watch(): Promise<void> {
  const own = (shown += 1);
  for (;;) {
    const told = (await (await ask(`/${job}`)).json()) as Told;
    if (own !== shown) return;
    const busy = told.stage === "waiting" || told.stage === "running";
    at("stop").hidden = at("progress").hidden = !busy;
    at<HTMLButtonElement>("start").disabled = busy;
    at<HTMLProgressElement>("progress").value = told.percent;
    if (told.stage !== "new") say(words[told.stage], { ...told, masked: (told.summary?.masked_pixels ?? 0).toLocaleString() });
    if (told.stage === "done") finish(told);
    if (!busy) return;
    await new Promise((resolve) => setTimeout(resolve, ASK));
  }
}

function finish(told: Told): void {
  compare.open(`restore/${job}`, told.show?.frames ?? [], !told.film ? "" : FILMS.test(told.result) ? "video" : "img");
  at<HTMLAnchorElement>("download").href = `restore/${job}/result?download`;
  at("done").hidden = false;
}

async function resume(): Promise<void> {
  const own = (shown += 1);
  await ask(`/${job}`);
  sent = true;
  const frame = await firstFrame(`restore/${job}/frame`, "frame.png")
    .catch(() => firstFrame(`restore/${job}/input`, "input.png"))
    .catch(() => null);
  if (frame) open(frame);
  const mask = await fetch(`restore/${job}/mask`);
  if (mask.ok && frame) await painter.load(await mask.blob()).catch(() => undefined);
  void look(own, false).catch(() => undefined);
  await watch();
}

at("tool").addEventListener("change", () => (painter.tool = at<HTMLSelectElement>("tool").value as Tool));
at("size").addEventListener("input", () => (painter.size = Number(at<HTMLInputElement>("size").value)));
at("size").setAttribute("aria-label", words.size);
at("file").addEventListener("change", () => choose(at<HTMLInputElement>("file").files?.[0]).catch((error: Error) => say(words.failed, { message: error.message })));
at("import").addEventListener("change", () => {
  const chosen = at<HTMLInputElement>("import").files?.[0];
  if (chosen) painter.load(chosen).catch((error: Error) => say(words.failed, { message: error.message }));
});
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  choose(event.dataTransfer?.files[0]).catch((error: Error) => say(words.failed, { message: error.message }));
});
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "z") painter.undo();
});
press("undo", () => painter.undo());
press("clear", () => painter.clear());
press("export", async () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await painter.save());
  link.download = "mask.png";
  link.click();
});
press("sample", async () => {
  await choose(new File([await (await fetch("sample_session.hst")).blob()], "sample_session.hst"));
  painter.hide(...SAMPLE);
  await start();
});
press("find", async () => painter.load(await (await ask(`/${job}/found`)).blob()));
press("start", start);
press("stop", () => ask(`/${job}/stop`, { method: "POST" }));
press("remove", async () => {
  await ask(`/${job}`, { method: "DELETE" });
  shown += 1;
  sent = false;
  at("done").hidden = true;
  history.replaceState(null, "", location.pathname + location.search);
  say(words.removed);
});
if (job) resume().catch((error: Error) => say(words.failed, { message: error.message }));
