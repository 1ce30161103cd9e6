/** The page that restores: a picture or film, what is missing of it, and before and after. */
import { Painter, type Tool } from "./painter.js";
import { at, korean, setLanguage } from "./words.js";

const ENGLISH = {
  title: "HST-MAE: restore",
  sessions: "Sessions",
  about: "Choose a picture or a film and paint over what is missing or in the way. It is restored on this server; files are gone an hour after you last looked at them.",
  sample: "Try the sample",
  tools: { rectangle: "Rectangle", brush: "Brush", eraser: "Eraser" },
  size: "Size",
  undo: "Undo",
  clear: "Clear",
  import: "Mask from file",
  export: "Save mask",
  hint: "What you paint is restored, in every frame of a film at the same place.",
  noFrame: "This browser cannot show the film. Take a mask from a file of the film's size.",
  modes: { psnr: "closest (least error)", exact: "sharp (likeliest colours)" },
  start: "Restore",
  stop: "Stop",
  sending: "Sending…",
  waiting: "Waiting: {ahead} before this one",
  running: "Restoring: {percent} %",
  done: "Done. {masked} pixels restored.",
  stopped: "Stopped.",
  failed: "It failed: {message}",
  nothing: "Paint what is missing first.",
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
  about: "그림이나 동영상을 고르고, 사라졌거나 가려진 부분을 칠하세요. 복원은 이 서버에서 하며, 파일은 마지막으로 본 뒤 한 시간이 지나면 지워집니다.",
  sample: "예제로 해 보기",
  tools: { rectangle: "사각형", brush: "붓", eraser: "지우개" },
  size: "크기",
  undo: "되돌리기",
  clear: "모두 지우기",
  import: "마스크 파일 열기",
  export: "마스크 저장",
  hint: "칠한 부분이 복원됩니다. 동영상은 모든 프레임의 같은 자리입니다.",
  noFrame: "이 브라우저는 이 동영상을 보여 줄 수 없습니다. 동영상과 크기가 같은 마스크 파일을 여세요.",
  modes: { psnr: "오차가 가장 적게", exact: "선명하게 (가장 그럴듯한 색)" },
  start: "복원",
  stop: "중지",
  sending: "보내는 중…",
  waiting: "대기 중: 앞에 {ahead}개",
  running: "복원 중: {percent} %",
  done: "끝났습니다. 픽셀 {masked}개를 복원했습니다.",
  stopped: "중지했습니다.",
  failed: "실패했습니다: {message}",
  nothing: "먼저 사라진 부분을 칠하세요.",
  before: "전",
  after: "후",
  download: "내려받기",
  remove: "서버에서 지우기",
  removed: "지웠습니다.",
  language: "English",
};
const words = korean ? KOREAN : ENGLISH;
const FILMS = /\.(mp4|mov|mkv|webm|avi)$/i;
const ASK = 400; // ms between two questions how far it is

interface Told {
  stage: "new" | "waiting" | "running" | "done" | "failed" | "stopped";
  percent: number;
  message: string;
  ahead: number;
  film: boolean;
  result: string;
  summary?: { masked_pixels?: number };
}

setLanguage(words.title, words.language);
for (const id of ["title", "sessions", "about", "sample", "undo", "clear", "export", "hint", "start", "stop", "before", "after", "download", "remove"] as const)
  at(id).textContent = words[id];
at("sizeName").textContent = words.size;
at("importName").textContent = words.import;
at<HTMLAnchorElement>("sessions").href = `./?lang=${korean ? "ko" : "en"}`;
for (const [id, names] of [["tool", words.tools], ["mode", words.modes]] as const)
  at(id).append(...Object.entries(names).map(([value, name]) => new Option(name, value)));
at("file").setAttribute("aria-label", words.title);
at("mask").setAttribute("aria-label", words.hint);

const painter = new Painter(at<HTMLCanvasElement>("mask"));
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

/** The picture, or the first frame of a film. */
async function firstFrame(source: string, film: boolean): Promise<CanvasImageSource & { width: number; height: number }> {
  if (!film) {
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

async function show(source: string, film: boolean, name: string): Promise<void> {
  at("name").textContent = name;
  at("done").hidden = true;
  say("");
  const picture = at<HTMLCanvasElement>("picture");
  try {
    const frame = await firstFrame(source, film);
    [picture.width, picture.height] = [frame.width, frame.height];
    const context = picture.getContext("2d", { willReadFrequently: true })!;
    context.drawImage(frame, 0, 0);
    painter.open(context.getImageData(0, 0, frame.width, frame.height));
  } finally {
    at("painting").hidden = false;
  }
}

async function choose(chosen: File | undefined): Promise<void> {
  if (!chosen) return;
  shown += 1;
  file = chosen;
  sent = false;
  job = "";
  history.replaceState(null, "", location.pathname + location.search);
  await show(URL.createObjectURL(chosen), FILMS.test(chosen.name), chosen.name);
}

async function start(): Promise<void> {
  if (painter.empty) return say(words.nothing);
  at("done").hidden = true;
  say(words.sending);
  if (!sent && file) {
    const answer = await ask(`?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
    job = ((await answer.json()) as { job: string }).job;
    location.hash = job;
    sent = true;
  }
  await ask(`/${job}/mask`, { method: "PUT", body: await painter.save() });
  await ask(`/${job}/start`, { method: "POST", body: JSON.stringify({ mode: at<HTMLSelectElement>("mode").value }) });
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
    if (told.stage === "done") compare(told);
    if (!busy) return;
    await new Promise((resolve) => setTimeout(resolve, ASK));
  }
}

/** Before and after, one over the other, the upper one as far as the slider says. */
function compare(told: Told): void {
  const film = told.film && FILMS.test(told.result);
  const made = (part: string): HTMLElement => {
    const element = document.createElement(film ? "video" : "img");
    element.src = `restore/${job}/${part}?${Date.now()}`;
    element.setAttribute("aria-label", part === "input" ? words.before : words.after);
    if (element instanceof HTMLVideoElement) element.muted = element.loop = element.autoplay = element.playsInline = true;
    return element;
  };
  const [below, above] = [made("input"), made("result")];
  if (below instanceof HTMLVideoElement && above instanceof HTMLVideoElement)
    above.addEventListener("timeupdate", () => {
      if (Math.abs(below.currentTime - above.currentTime) > 0.05) below.currentTime = above.currentTime;
    });
  at("compare").replaceChildren(below, above);
  const slide = (): void => void (above.style.clipPath = `inset(0 0 0 ${at<HTMLInputElement>("slider").value}%)`);
  at("slider").oninput = slide;
  slide();
  const link = at<HTMLAnchorElement>("download");
  link.href = `restore/${job}/result?download`;
  at("done").hidden = false;
}

async function resume(): Promise<void> {
  const told = (await (await ask(`/${job}`)).json()) as Told;
  sent = true;
  await show(`restore/${job}/input`, told.film && FILMS.test(told.result), "").catch(() => undefined);
  const mask = await fetch(`restore/${job}/mask`);
  if (mask.ok) await painter.load(await mask.blob()).catch(() => undefined);
  await watch();
}

at("tool").addEventListener("change", () => (painter.tool = at<HTMLSelectElement>("tool").value as Tool));
at("size").addEventListener("input", () => (painter.size = Number(at<HTMLInputElement>("size").value)));
at("size").setAttribute("aria-label", words.size);
at("file").addEventListener("change", () => choose(at<HTMLInputElement>("file").files?.[0]).catch((error: Error) => say(error.message)));
at("import").addEventListener("change", () => {
  const chosen = at<HTMLInputElement>("import").files?.[0];
  if (chosen) painter.load(chosen).catch((error: Error) => say(words.failed, { message: error.message }));
});
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  choose(event.dataTransfer?.files[0]).catch((error: Error) => say(error.message));
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
press("sample", async () => choose(new File([await (await fetch("sample_masked.png")).blob()], "sample_masked.png")));
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
