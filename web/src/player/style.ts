/** The player's look. Set as a style sheet object: pages whose policy forbids inline styles can embed it. */

export const STYLE = `
:host { display: block; --ink: #eef; --panel: #181b24; --line: #39405a; --mark: #ffd23f; color: var(--ink); background: var(--panel);
  font: 14px/1.4 system-ui, sans-serif; border-radius: 8px; overflow: hidden; max-width: 100%; }
:host(:focus-visible) { outline: 3px solid var(--mark); }
.screen { position: relative; background: #000; display: grid; place-items: center; touch-action: pan-y; min-height: 120px; }
canvas { width: 100%; height: auto; max-height: 78vh; object-fit: contain; image-rendering: pixelated; display: block; }
.message { position: absolute; inset: auto 0 0 0; margin: 0; padding: 8px 12px; background: #000c; white-space: pre-wrap; overflow-wrap: anywhere; }
.message:empty { display: none; }
.message.error { background: #7c1d2bee; color: #fff; }
.state { position: absolute; inset: 0 0 0 auto; margin: 0; padding: 8px; background: #000b; overflow: auto; width: min(19em, 60%);
  font: 12px/1.35 ui-monospace, monospace; }
.state table { border-collapse: collapse; width: 100%; } .state th { text-align: left; font-weight: 400; white-space: nowrap; color: #b8c0dc; padding-right: 8px; }
.state td { text-align: right; overflow-wrap: anywhere; }
.state tr.changed td { color: var(--mark); }
.pad { display: flex; flex-wrap: wrap; gap: 4px; padding: 6px 8px 0; }
.pad span { border: 1px solid var(--line); border-radius: 4px; padding: 1px 8px; color: #8d95b3; }
.pad span.down { background: var(--mark); color: #221a00; border-color: var(--mark); }
[hidden] { display: none !important; }
.bar { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; padding: 8px; }
button, select { font: inherit; color: var(--ink); background: #262b3b; border: 1px solid var(--line); border-radius: 6px; min-height: 40px; padding: 0 10px; }
button { min-width: 40px; cursor: pointer; display: grid; place-items: center; } svg { width: 20px; height: 20px; fill: currentColor; } button[aria-pressed=true] { background: var(--mark); color: #221a00; }
button:focus-visible, select:focus-visible, input:focus-visible { outline: 3px solid var(--mark); outline-offset: 1px; }
.position { flex: 1 1 160px; display: flex; gap: 8px; align-items: center; min-width: 140px; }
.position input { flex: 1; min-width: 60px; height: 40px; accent-color: var(--mark); }
.place { font-variant-numeric: tabular-nums; white-space: nowrap; }
.place.live::before { content: "●"; color: #ff5470; margin-right: 6px; }
.figures { position: absolute; inset: 0 auto auto 0; margin: 0; padding: 6px 10px; background: #000b; font: 12px/1.4 ui-monospace, monospace; white-space: pre-wrap; pointer-events: none; }
.episode { max-width: 100%; }
@media (prefers-reduced-motion: no-preference) { button { transition: background .1s; } }
`;
