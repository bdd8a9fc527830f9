/** Small parts that several sections of the page have: names, states, times, bars, and what stands where there is nothing. */
import { sizeText } from '../commands/cells.ts';
import { html, nothing } from './html.ts';
import type { Html } from './html.ts';

/** A name that somebody gave, in type in which its letters can be told apart. */
export function code(text: string): Html {
  return text === '' ? nothing : html`<code>${text}</code>`;
}

/** One below the other. */
export function lines(items: readonly Html[]): Html {
  if (items.length < 2) return items[0] ?? nothing;
  return html`<ul class="lines">
    ${items.map((item) => html`<li>${item}</li>`)}
  </ul>`;
}

/** Never by colour alone: the sign and the word say the same. */
export function mark(kind: 'good' | 'bad' | 'warn' | 'idle', text: string): Html {
  const sign = { good: '✓', bad: '✕', warn: '!', idle: '–' }[kind];
  return html`<span class="mark ${kind}"><span aria-hidden="true">${sign}</span> ${text}</span>`;
}

/** `2026-11-28 21:20` of a time in ISO 8601, in UTC; with seconds for what happens often. */
export function timeText(iso: string, seconds = false): Html {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(iso)) return nothing;
  const shown = seconds ? iso.slice(11, 19) : `${iso.slice(0, 10)} ${iso.slice(11, 16)}`;
  return html`<time datetime="${iso}">${shown}</time>`;
}

export function bytes(value: number | null): string {
  return value === null ? 'unknown' : sizeText(value);
}

export interface Share {
  /** Of the stylesheet. */
  readonly kind: 'held' | 'trash' | 'cooling';
  readonly value: number;
}

/** Shares of a whole, side by side; an SVG, because styles within the page are not allowed. The text beside it says the same. */
export function bar(whole: number, shares: readonly Share[]): Html {
  let from = 0;
  const parts = shares.map(({ kind, value }) => {
    const width = whole <= 0 ? 0 : Math.max(0, Math.min(100 - from, (100 * value) / whole));
    const part = html`<rect class="${kind}" x="${round(from)}" y="0" width="${round(width)}" height="8"></rect>`;
    from += width;
    return part;
  });
  return html`<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">${parts}</svg>`;
}

/** What a colour of a bar means. */
export function legend(kind: Share['kind'] | 'free', text: string): Html {
  return html`<li><span class="swatch ${kind}" aria-hidden="true"></span>${text}</li>`;
}

export function empty(...text: readonly Html[]): Html {
  return html`<p class="nothing">${text}</p>`;
}

/** Why a part of what the section shows is missing. */
export function problems(texts: readonly string[]): Html {
  if (texts.length === 0) return nothing;
  return html`<ul class="problems">
    ${texts.map((text) => html`<li>${mark('bad', text)}</li>`)}
  </ul>`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
