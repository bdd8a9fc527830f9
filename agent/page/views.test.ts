import { expect, test } from 'vitest';
import { Views, viewsOf } from './views.ts';

const one = viewsOf({ views: { pools: () => [{ name: 'a' }], devices: () => Promise.resolve([]) } });
const other = viewsOf({ views: { pools: () => [{ name: 'b' }] } });

test('what several have is shown together; what nobody has is not known', async () => {
  const answers = await new Views([one, other, viewsOf({})]).ask(['pools', 'devices', 'volumes', 'toString']);
  expect(Object.fromEntries(answers)).toEqual({
    pools: { items: [{ name: 'a' }, { name: 'b' }], problems: [], known: true },
    devices: { items: [], problems: [], known: true },
    volumes: { items: [], problems: [], known: false },
    toString: { items: [], problems: [], known: false },
  });
});

test('one who fails keeps nobody from the answers of the others', async () => {
  const broken = viewsOf({ views: { pools: () => Promise.reject(new Error('no pool')) } });
  const answers = await new Views([broken, other]).ask(['pools']);
  expect(answers.get('pools')).toEqual({ items: [{ name: 'b' }], problems: ['no pool'], known: true });
});

test('one who does not answer is not asked again until he has, and is told of', async () => {
  let asked = 0;
  const { promise, resolve } = Promise.withResolvers<readonly object[]>();
  const hanging = viewsOf({
    views: {
      pools: () => {
        asked += 1;
        return promise;
      },
    },
  });
  const views = new Views([hanging, other], 1);
  for (let time = 0; time < 3; time++) {
    const { items, problems } = (await views.ask(['pools'])).get('pools')!;
    expect(items).toEqual([{ name: 'b' }]);
    expect(problems).toEqual(['pools cannot be shown now: no answer within 0.001 s']);
  }
  expect(asked).toBe(1);
  resolve([{ name: 'c' }]);
  await promise;
  expect((await views.ask(['pools'])).get('pools')?.problems).toEqual([]);
});
