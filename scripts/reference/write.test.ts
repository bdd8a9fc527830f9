import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { referencePages } from './write.ts';

const pages = await referencePages();

test.each([...pages])('docs/%s is what `npm run generate` writes', async (name, text) => {
  const page = await readFile(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
  expect(page, `run \`npm run generate\` and commit docs/${name}`).toBe(text);
});
