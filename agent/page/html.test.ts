import { expect, test } from 'vitest';
import { html } from './html.ts';

test.each([
  ['<script>alert(1)</script>', '&lt;script&gt;alert(1)&lt;/script&gt;'],
  ['" onfocus="alert(1)', '&quot; onfocus=&quot;alert(1)'],
  ["' & '", '&#39; &amp; &#39;'],
  ['&lt;', '&amp;lt;'],
  ['a\u202eb\u0007c\u0000', 'a?b?c?'],
  [12, '12'],
])('what is put in is text: %j', (value, text) => {
  expect(html`<p title="${value}">${value}</p>`.text).toBe(`<p title="${text}">${text}</p>`);
});

test('HTML within HTML stays what it is', () => {
  const items = ['a', '<b>'].map((item) => html`<i>${item}</i>`);
  expect(html`<b>${items}${html`<br />`}</b>`.text).toBe('<b><i>a</i><i>&lt;b&gt;</i><br /></b>');
});
