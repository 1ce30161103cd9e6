/** The first page: plays the bundled session, a file of the visitor's, or one of the server's folder. */
import "../player/player.js";
import { at, korean, setLanguage } from "./words.js";

const ENGLISH = {
  title: "HST-MAE: recorded sessions",
  about: "This session is decoded in your browser, pixel by pixel as it was recorded: {size} for {frames} frames with the game's memory and the buttons.",
  own: "Play a .hst file of yours",
  ownHint: "It stays in your browser. Dropping it onto this page does the same.",
  files: "Sessions on this server",
  none: "There is no .hst file in the folder.",
  bundled: "Bundled session",
  keys: "Keys: space plays, ← → step, j l one second, Home End, < > speed, r loop, s state, b buttons, p saves the frame, i latency of a stream. On a touch screen: tap, or drag sideways.",
  failed: "The list of sessions cannot be loaded",
  restore: "Restore a picture or film",
  live: "Live now",
  watching: "{n} watching",
  rewind: "Rewind: play the recording so far",
  back: "Back to live",
  language: "한국어",
};
type Words = typeof ENGLISH;
const KOREAN: Words = {
  title: "HST-MAE: 기록된 세션",
  about: "이 세션은 브라우저에서 기록된 그대로 픽셀 단위로 복원됩니다: 게임 메모리와 버튼을 포함한 {frames}개 프레임이 {size}입니다.",
  own: "내 .hst 파일 재생",
  ownHint: "파일은 브라우저 밖으로 나가지 않습니다. 이 페이지에 끌어다 놓아도 됩니다.",
  files: "이 서버의 세션",
  none: "폴더에 .hst 파일이 없습니다.",
  bundled: "기본 제공 세션",
  keys: "키: 스페이스 재생, ← → 한 프레임, j l 1초, Home End, < > 속도, r 반복, s 상태, b 버튼, p 프레임 저장, i 방송의 지연. 터치: 누르면 재생, 옆으로 끌면 이동.",
  failed: "세션 목록을 불러올 수 없습니다",
  restore: "그림이나 동영상 복원",
  live: "실시간 방송",
  watching: "{n}명 시청 중",
  rewind: "되감기: 지금까지의 녹화 재생",
  back: "실시간으로 돌아가기",
  language: "English",
};

const words = korean ? KOREAN : ENGLISH;
setLanguage(words.title, words.language);
for (const id of ["title", "own", "ownHint", "files", "keys"] as const) at(id).textContent = words[id];
at("bundled").textContent = words.bundled;
at("liveNow").textContent = words.live;
at("restore").textContent = words.restore;
at<HTMLAnchorElement>("restore").href = `restore.html?lang=${korean ? "ko" : "en"}`;

const player = document.createElement("hst-player");
for (const name of ["autoplay", "loop"]) player.setAttribute(name, "");
at("player").append(player);

function bytes(count: number): string {
  return count < 10_000 ? `${count.toLocaleString()} B` : count < 10_000_000 ? `${(count / 1000).toFixed(0)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

function play(src: string, name: string): void {
  at("playing").textContent = name;
  player.removeAttribute("live");
  player.setAttribute("src", src);
  player.focus({ preventScroll: true });
  at("rewind").hidden = true;
  at("about").hidden = src !== "sample_session.hst";
  history.replaceState(null, "", location.pathname + location.search);
}

/** Watch a stream; while it is kept, what has been can be played. */
function watch(name: string): void {
  at("playing").textContent = name;
  player.removeAttribute("src");
  player.setAttribute("live", `live/${name}`);
  player.focus({ preventScroll: true });
  at("rewind").hidden = at("about").hidden = true;
  history.replaceState(null, "", `#live/${name}`);
}

let kept = ""; // where the recording of the stream is that is watched
player.addEventListener("hst-live", ({ detail }) => {
  kept = String(detail.statistics.recording_url ?? "");
  at("rewind").hidden = !kept;
  at("rewind").textContent = words.rewind;
});
at("rewind").addEventListener("click", () => {
  const name = location.hash.slice("#live/".length);
  if (!player.live) return watch(name);
  player.addEventListener("hst-open", () => player.seek(player.length - 1 - 10 * Math.round(player.episodes[0]?.fps ?? 1)), { once: true });
  player.removeAttribute("live");
  player.setAttribute("src", kept);
  at("rewind").textContent = words.back;
});

let own = "";
function playFile(file: File | undefined): void {
  if (!file) return;
  URL.revokeObjectURL(own);
  own = URL.createObjectURL(file);
  play(own, file.name);
}

at<HTMLInputElement>("file").setAttribute("aria-label", words.own);
at<HTMLInputElement>("file").addEventListener("change", (event) => playFile((event.target as HTMLInputElement).files?.[0]));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  playFile(event.dataTransfer?.files[0]);
});

interface Listed {
  bundled: { url: string; bytes: number; frames: number };
  files: { name: string; url: string; bytes: number }[] | null; // null: no folder is shown
  left_out: number;
  restores: boolean;
}

interface Stream {
  name: string;
  live: boolean;
  viewers: number;
  kbit_per_second: number;
}

const LOOK_EVERY = 2000; // ms

/** The streams of this server, as they come and go. */
async function listStreams(): Promise<void> {
  const response = await fetch("live.json");
  if (!response.ok) return;
  const streams = ((await response.json()) as { streams: Stream[] }).streams.filter(({ live }) => live);
  at("streams").hidden = !streams.length;
  const focused = document.activeElement?.textContent;
  at("live").replaceChildren(
    ...streams.map(({ name, viewers, kbit_per_second: rate }) => {
      const item = document.createElement("li"), start = button(name, () => watch(name));
      item.append(start, ` ${words.watching.replace("{n}", viewers.toLocaleString())}, ${rate.toFixed(0)} kbit/s`);
      return item;
    }),
  );
  for (const start of at("live").querySelectorAll("button")) if (start.textContent === focused) start.focus({ preventScroll: true });
}

function button(text: string, press: () => void): HTMLButtonElement {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", press);
  return made;
}

async function list(): Promise<void> {
  const response = await fetch("sessions.json");
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  const { bundled, files, restores } = (await response.json()) as Listed;
  at("about").textContent = words.about.replace("{size}", bytes(bundled.bytes)).replace("{frames}", String(bundled.frames));
  at("bundled").addEventListener("click", () => play(bundled.url, words.bundled));
  at("restore").hidden = !restores;
  at("folder").hidden = files === null;
  at("sessions").replaceChildren(
    ...(files ?? []).map(({ name, url, bytes: size }) => {
      const item = document.createElement("li");
      item.append(button(name, () => play(url, name)), ` ${bytes(size)}`);
      return item;
    }),
  );
  if (files && !files.length) at("sessions").textContent = words.none;
}

const stream = /^#live\/([A-Za-z0-9][A-Za-z0-9._-]{0,63})$/.exec(location.hash)?.[1];
if (stream) watch(stream);
else play("sample_session.hst", words.bundled);
const look = (): void => void (document.hidden ? undefined : listStreams().catch(() => undefined));
look();
setInterval(look, LOOK_EVERY);
list().catch((error: Error) => (at("about").textContent = `${words.failed}: ${error.message}`));
