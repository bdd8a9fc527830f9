import { expect, test } from 'vitest';
import { untilAborted } from './untilaborted.ts';

test('the reason is what the wait ends with, before and after', async () => {
  const end = new AbortController();
  const waiting = untilAborted(end.signal);
  end.abort(new Error('over'));
  await expect(waiting).rejects.toThrow('over');
  await expect(untilAborted(end.signal)).rejects.toThrow('over');
});
