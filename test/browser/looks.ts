/** What a person would see of a page in the browser: told by the browser itself, as computed. Nothing here leaves the browser's page. */
import type { ConsoleMessage, Page } from 'puppeteer-core';

/** Everything the browser complains about: of the policy, of errors, of files that are not there. */
export function complaintsOf(page: Page): readonly string[] {
  const complaints: string[] = [];
  page.on('console', (message: ConsoleMessage) => {
    if (['error', 'warn'].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`error: ${String(error)}`));
  page.on('requestfailed', (request) => {
    // A page that is left ends its own stream of news.
    if (!request.url().includes('/events')) complaints.push(`failed: ${request.url()}`);
  });
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return complaints;
}

/** Texts whose colour does not stand out from what is behind them by 4.5 to 1 (WCAG 2.2, 1.4.3). Empty when all do. */
export async function faintTexts(page: Page): Promise<readonly string[]> {
  return (await page.evaluate(`(() => {
    const channel = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    const parse = (text) => text.match(/[\\d.]+/g).map(Number);
    const luminance = ([r, g, b]) =>
      0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
    const behind = (element) => {
      for (let at = element; at !== null; at = at.parentElement) {
        const colour = parse(getComputedStyle(at).backgroundColor);
        if ((colour[3] ?? 1) === 1) return colour;
      }
      return [255, 255, 255];
    };
    const faint = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    let seen = 0;
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      if (walker.currentNode.data.trim() === '' || !element.checkVisibility()) continue;
      seen += 1;
      const [one, other] = [parse(getComputedStyle(element).color), behind(element)].map(luminance);
      const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
      if (ratio < 4.5) faint.push(walker.currentNode.data.trim() + ' ' + ratio.toFixed(2));
    }
    return seen < 50 ? ['only ' + seen + ' texts were seen'] : faint;
  })()`)) as readonly string[];
}

/** What reaches beyond the screen's width, is cut, or lies over another text. Empty when nothing does. */
export async function misplacedTexts(page: Page): Promise<readonly string[]> {
  return (await page.evaluate(`(() => {
    const boxes = [];
    const wrong = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      if (walker.currentNode.data.trim() === '' || !element.checkVisibility()) continue;
      // These are for those who do not see the page, or not there before they are reached.
      if (element.closest('caption, thead, .skip') !== null && getComputedStyle(element.closest('caption, thead, .skip')).position === 'absolute') continue;
      const range = document.createRange();
      range.selectNodeContents(walker.currentNode);
      for (const box of range.getClientRects()) {
        const text = walker.currentNode.data.trim().slice(0, 40);
        if (box.width === 0) continue;
        if (box.left < 0 || box.right > innerWidth + 0.5) wrong.push('beyond the screen: ' + text);
        const cell = element.closest('td, th, .card, li, p, h1, h2, h3').getBoundingClientRect();
        if (box.right > cell.right + 0.5) wrong.push('beyond its place: ' + text);
        boxes.push([box, text]);
      }
    }
    boxes.forEach(([a, one], index) => {
      for (const [b, other] of boxes.slice(index + 1)) {
        const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (across > 1 && down > 4) wrong.push('one over the other: ' + one + ' / ' + other);
      }
    });
    return boxes.length < 50 ? ['only ' + boxes.length + ' texts were seen'] : wrong;
  })()`)) as readonly string[];
}

export interface Focused {
  readonly tag: string;
  readonly id: string;
  readonly text: string;
  /** It is on the screen, with an outline that is seen. */
  readonly seen: boolean;
}

/** What has the focus now; undefined when nothing has. */
export async function focused(page: Page): Promise<Focused | undefined> {
  return (await page.evaluate(`(() => {
    const element = document.activeElement;
    if (element === null || element === document.body) return undefined;
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    const on = box.top >= 0 && box.left >= 0 && box.bottom <= innerHeight && box.right <= innerWidth;
    const seen = on && outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
    return { tag: element.tagName, id: element.id, text: element.textContent.trim(), seen };
  })()`)) as Focused | undefined;
}
