import { expect, test } from 'vitest';
import { formatProgress, startProgress } from './progress.ts';

function output(isTTY: boolean): {
  readonly isTTY: boolean;
  readonly columns: number;
  text: string;
  write(text: string): void;
} {
  return {
    isTTY,
    columns: 60,
    text: '',
    write(text) {
      this.text += text;
    },
  };
}

test.each([
  ['a known total is a bar', 5, 10, 'T [###############---------------] 50 % 5/10 k8s.io/api'],
  ['an unknown total is only the note', 0, 0, 'T: k8s.io/api'],
])('%s', (_, done, total, line) => {
  expect(formatProgress('T', done, total, 'k8s.io/api', 80)).toBe(line);
});

test('a terminal gets a line that redraws itself and fits', () => {
  const terminal = output(true);
  const progress = startProgress('Building', terminal);
  progress.update(1, 2, 'a-package-with-quite-a-long-name');
  progress.update(2, 2, 'b');
  progress.finish('done');
  expect(terminal.text).not.toMatch(/\n./);
  for (const line of terminal.text.split('\r\u001b[2K')) expect(line.length).toBeLessThan(60);
});

test('a file gets plain lines and not one for each package', () => {
  const file = output(false);
  const progress = startProgress('Building', file);
  for (let done = 1; done <= 100; done += 1) progress.update(done, 100, 'p');
  progress.finish('done in 3 s');
  expect(file.text.split('\n')).toEqual([
    'Building [------------------------------] 1 % 1/100 p',
    'Building: done in 3 s',
    '',
  ]);
});
