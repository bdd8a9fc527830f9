/** What a section of the page is. */
import type { Answer } from './views.ts';
import type { Html } from './html.ts';

export interface Section {
  /** Of its element, and in the address of the page. */
  readonly id: string;
  readonly title: string;
  /** What it is made of. */
  readonly views: readonly string[];
  /** Takes the answers in the order of `views`. Undefined: this node has nothing of the kind, and the section is hidden. */
  render(answers: readonly Answer[]): SectionContent | undefined;
}

export interface SectionContent {
  /** How many, beside the heading and in the table of contents. */
  readonly count?: number;
  readonly body: Html;
}
