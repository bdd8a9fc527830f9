import { expect, test } from 'vitest';
import { RouteError } from '../linux/rtnetlink/rtnetlink.ts';
import type { RouteRequest } from '../linux/rtnetlink/requests.ts';
import type { RouteSocket } from '../linux/rtnetlink/rtnetlink.ts';
import { LinkRemover } from './linkremover.ts';

/** A socket that notes its batches and answers each when told. */
function slowSocket(): { socket: RouteSocket; batches: (readonly RouteRequest[])[]; answer: (error?: Error) => void } {
  const batches: (readonly RouteRequest[])[] = [];
  const answers: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const socket = {
    apply: (requests: readonly RouteRequest[]): Promise<void> => {
      batches.push(requests);
      return new Promise((resolve, reject) => answers.push({ resolve, reject }));
    },
  } as Partial<RouteSocket> as RouteSocket;
  const answer = (error?: Error): void => {
    const next = answers.shift();
    if (error === undefined) next?.resolve();
    else next?.reject(error);
  };
  return { socket, batches, answer };
}

const indexes = (batch: readonly RouteRequest[] | undefined): unknown[] =>
  (batch ?? []).map((request) => (request.op === 'set-link' ? request.index : request.op));

test('the first deletion goes at once, those that come meanwhile share the next', async () => {
  const { socket, batches, answer } = slowSocket();
  const remover = new LinkRemover(socket);
  const removals = [1, 2, 3].map((index) => remover.remove(index));
  expect(batches.map(indexes)).toEqual([[1, 'delete-links']]);
  answer();
  await removals[0];
  expect(batches.map(indexes)).toEqual([
    [1, 'delete-links'],
    [2, 3, 'delete-links'],
  ]);
  answer();
  await Promise.all(removals);
});

test('a link that vanished by itself is deleted; another refusal is told to all of its batch', async () => {
  const { socket, answer } = slowSocket();
  const remover = new LinkRemover(socket);
  const gone = remover.remove(1);
  const [two, three] = [remover.remove(2), remover.remove(3)];
  answer(new RouteError('ENODEV', ''));
  await gone;
  answer(new RouteError('EPERM', ''));
  await expect(two).rejects.toMatchObject({ code: 'EPERM' });
  await expect(three).rejects.toMatchObject({ code: 'EPERM' });
  const four = remover.remove(4);
  answer();
  await four;
});
