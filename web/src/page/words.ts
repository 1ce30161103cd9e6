/** The language of a page: what its address or the browser asks for, English else. */
export const korean = (new URLSearchParams(location.search).get("lang") ?? navigator.language).toLowerCase().startsWith("ko");

/** The element of an id that the page is known to have. */
export const at = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;

/** Say which language the page is in, and link to the other one. */
export function setLanguage(title: string, other: string): void {
  document.documentElement.lang = korean ? "ko" : "en";
  document.title = title;
  const link = at<HTMLAnchorElement>("language");
  link.textContent = other;
  link.href = `?lang=${korean ? "en" : "ko"}${location.hash}`;
  link.lang = korean ? "en" : "ko";
}
