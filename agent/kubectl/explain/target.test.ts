import { describe, expect, test } from 'vitest';
import { targetOf } from './target.ts';

describe('what is asked about', () => {
  test.each([
    [['pod/till'], { kind: 'pod', name: 'till' }],
    [['pvc', 'data'], { kind: 'pvc', name: 'data' }],
    [['resource/berth.dev/x'], { kind: 'resource', name: 'berth.dev/x' }],
    [['device//dev/ttyUSB0@node-1'], { kind: 'device', path: '/dev/ttyUSB0', node: 'node-1' }],
    [['device/dev/ttyUSB0@node-1'], { kind: 'device', path: '/dev/ttyUSB0', node: 'node-1' }],
    [['device', 'ttyUSB0@node-1'], { kind: 'device', path: '/dev/ttyUSB0', node: 'node-1' }],
    [['device/c188:0@node-1'], { kind: 'device', path: 'c188:0', node: 'node-1' }],
  ])('%j', (words, target) => {
    expect(targetOf(words)).toEqual(target);
  });

  test.each([[['till']], [['ship/x']], [['pod/']], [['device//dev/x']], [['__proto__/x']]])(
    '%j is refused',
    (words) => {
      expect(() => targetOf(words)).toThrow(/expected pod\/NAME|on which node/);
    },
  );
});
