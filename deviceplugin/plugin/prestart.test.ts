import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { node, state, unit } from './fake/state.ts';
import { checkPresent, needsPreStart } from './prestart.ts';

let devRoot = '';
beforeEach(async () => {
  devRoot = await mkdtemp(join(tmpdir(), 'berth-dev-'));
});
afterEach(async () => {
  await rm(devRoot, { recursive: true });
});

/** A node of a major number no driver has. */
const make = (name: string, minor: number): void => {
  execFileSync('mknod', [join(devRoot, name), 'c', '240', String(minor)]);
};
const port = unit('port-1', [node('/dev/port', { number: 'c240:7' })]);

test('a unit whose nodes are there with their numbers may start', async () => {
  make('port', 7);
  make('beside', 300_000);
  const both = { ...port, companions: [node('/dev/beside', { number: 'c240:300000' })] };
  await expect(checkPresent(state({}, [both]), ['port-1::0', 'port-1::1'], devRoot)).resolves.toBeUndefined();
});

test.each([
  ['a node that is gone', port, undefined, '/dev/port of port-1 is gone from the node'],
  ['a node of another number', port, 8, '/dev/port of port-1 is another device now (c240:8, it was c240:7)'],
  ['a file', port, 'file', '/dev/port of port-1 is no device node'],
  ['a unit that is away', { ...port, present: false, unhealthy: 'was unplugged' }, 7, 'port-1 was unplugged'],
])('%s holds the start up, with the reason', async (_what, of, there, sentence) => {
  if (typeof there === 'number') make('port', there);
  else if (there === 'file') await writeFile(join(devRoot, 'port'), '');
  await expect(checkPresent(state({}, [of]), ['port-1::0'], devRoot)).rejects.toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: `berth.dev/serial: ${sentence}`,
  });
});

test('a unit that the resource no longer has is not found', async () => {
  await expect(checkPresent(state({}, []), ['x::0'], devRoot)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

const usb = { lineage: ['/devices/pci0000:00/0000:00:14.0/usb1/1-2'] };
test.each([
  ['what is plugged in', {}, [unit('a', ['/dev/a'], usb)], true],
  ['what has nothing yet', {}, [], true],
  ['what goes by CDI', { injection: 'cdi' }, [port], true],
  ['what never moves', {}, [port], false],
  ['the root hub, which never moves', {}, [unit('a', ['/dev/a'], { lineage: ['/devices/pci0000:00/usb1'] })], false],
  ['what was away before the agent began', {}, [port, unit('a', [], { present: false })], true],
])('the kubelet asks before the start of %s: %#', (_what, rule, units, asks) => {
  expect(needsPreStart(state(rule, units))).toBe(asks);
});
