/** HTML as a value: what is put between the parts of a template is text and escaped, unless it is HTML itself. */
import { harmless } from '../commands/harmless.ts';

export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Content = string | number | Html | readonly Html[];

/** Attribute values stand between double quotes in the template, always. */
export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Html {
  return new Html(parts.map((part, index) => part + textOf(contents[index])).join(''));
}

export const nothing = new Html('');

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Pods, devices and volumes name themselves. Characters that would turn the direction of a line go too. */
function escapeText(text: string): string {
  return harmless(text).replace(/[&<>"']/g, (character) => entities[character] ?? '');
}

function textOf(content: Content | undefined): string {
  if (content === undefined) return '';
  if (content instanceof Html) return content.text;
  if (typeof content === 'object') return content.map(({ text }) => text).join('');
  return escapeText(String(content));
}
